"""What a program in Python tries with the standard library and ctypes. Argument: a secret that the daemon has."""
import ctypes, errno, fcntl, mmap, os, platform, resource, signal, socket, stat, sys

libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
USUAL = "EPERM EACCES ENOSYS ENOENT EROFS"
count = 0


def report(name, word, evidence):
    global count
    count += 1
    print(f"python/{name}: {word}: {evidence}", flush=True)


def refuse(name, attempt, also=""):
    try:
        got = attempt()
    except OSError as e:
        code = errno.errorcode[e.errno]
        if code in (USUAL + " " + also).split():
            report(name, "refused", code)
        else:
            report(name, "ESCAPED", "not refused, it got as far as " + code)
    else:
        report(name, "ESCAPED", f"it worked: {got!r:.80}")


def hold(name, look):
    """look returns what is wrong, or nothing."""
    wrong = look()
    report(name, "ESCAPED" if wrong else "held", f"{wrong!r:.80}" if wrong else "nothing there")


def c(function, *args):
    r = getattr(libc, function)(*args)
    if r == -1:
        raise OSError(ctypes.get_errno(), function)
    return r


def call(x86, arm, *args):
    return c("syscall", ctypes.c_long(x86 if X86 else arm), *args)


# The kernel, by ctypes.
refuse("mount", lambda: c("mount", b"none", b"/tmp", b"tmpfs", 0, None))
refuse("umount", lambda: c("umount2", b"/proc", 2))
refuse("unshare by os", lambda: os.unshare(os.CLONE_NEWUSER))
refuse("unshare by ctypes", lambda: c("unshare", 0x20000))
refuse("setns", lambda: os.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY)))
refuse("chroot", lambda: os.chroot("/tmp"))
refuse("pivot_root", lambda: call(155, 41, b".", b"."))
refuse("ptrace of init", lambda: c("ptrace", 0x4206, 1, None, None))
refuse("process_vm_readv of init", lambda: c("process_vm_readv", 1, None, 0, None, 0, 0))
refuse("pidfd_getfd of init", lambda: call(438, 438, os.pidfd_open(1), 3, 0))
refuse("add_key", lambda: call(248, 217, b"user", b"probe", b"x", 1, -3))
refuse("keyctl", lambda: call(250, 219, 0, -4, 1))
refuse("io_uring", lambda: call(425, 425, 1, (ctypes.c_uint * 30)()))
refuse("bpf", lambda: call(321, 280, 0, (ctypes.c_char * 72)(), 72))
refuse("perf_event_open", lambda: call(298, 241, (ctypes.c_char * 128)(), 0, -1, -1, 0))
refuse("userfaultfd", lambda: call(323, 282, 1))
refuse("open_by_handle_at", lambda: call(304, 265, -100, (ctypes.c_char * 136)(), 0))
refuse("personality", lambda: c("personality", 0x0040000))
refuse("a filter of its own", lambda: c("prctl", 22, 2, None), "EINVAL")
refuse("inotify", lambda: c("inotify_init1", 0))
refuse("sethostname", lambda: socket.sethostname("x"))
refuse("the clock", lambda: __import__("time").clock_settime(1, 1.0))

# Identity.
refuse("setuid", lambda: os.setuid(0))
refuse("setgroups", lambda: os.setgroups([0]))
refuse("initgroups", lambda: os.initgroups("root", 0))
hold("setuid programs", lambda: [p for d, _, fs in os.walk("/usr") for p in (os.path.join(d, f) for f in fs)
                                 if os.lstat(p).st_mode & (stat.S_ISUID | stat.S_ISGID) and not os.path.islink(p)])
refuse("own a file as root", lambda: os.chown(sys.argv[0], 0, 0))

# Files.
refuse("write the interpreter", lambda: open("/usr/bin/python3", "r+b"))
refuse("write the library", lambda: open(os.__file__, "a"))
refuse("replace the interpreter", lambda: os.rename("/usr/bin/python3", "/usr/bin/python4"))
refuse("make the interpreter setuid", lambda: os.chmod("/usr/bin/python3", 0o4755))
refuse("append to /etc/passwd", lambda: open("/etc/passwd", "a"))
refuse("mknod", lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)))
refuse("link out by /proc/1/root", lambda: os.listdir("/proc/1/root"))
refuse("climb out", lambda: open("/proc/self/root/../../../../etc/shadow"))
refuse("xattr", lambda: os.setxattr("/tmp", "trusted.x", b"1"), "ENOTSUP")
hold("images of other languages", lambda: [p for p in ("/var/lib/ccee", "/usr/bin/node", "/usr/lib/jvm", "/run/ccee", "/home", "/root") if os.path.exists(p)])


def map_image():
    with open("/usr/bin/python3", "rb") as f:
        return mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_SHARED)


refuse("map the interpreter shared and writable", map_image)


def own_read_only():
    path = "/workspace/ro"
    with open(path, "wb") as f:
        f.write(b"a" * 4096)
    os.chmod(path, 0o444)
    return path


def through_mem():
    """Dirty COW: writes its read-only mapping by /proc/self/mem; the file must not change."""
    path = own_read_only()
    with open(path, "rb") as f:
        m = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
    for line in open("/proc/self/maps"):
        if line.rstrip().endswith(path):
            at = int(line.split("-")[0], 16)
    try:
        fd = os.open("/proc/self/mem", os.O_RDWR)
        os.pwrite(fd, b"b" * 16, at)
    except OSError:
        pass
    return open(path, "rb").read().strip(b"a")


hold("Dirty COW on its own file", through_mem)


def through_pipe():
    """Dirty Pipe: splices a page of a file into a pipe and writes on; the file must not change."""
    os.remove("/workspace/ro")
    path = own_read_only()
    r, w = os.pipe()
    os.write(w, b"x" * 65536)
    os.read(r, 65536)
    fd = os.open(path, os.O_RDONLY)
    try:
        os.splice(fd, w, 1, offset_src=0)
        os.write(w, b"b" * 16)
    except OSError:
        pass
    return open(path, "rb").read().strip(b"a")


hold("Dirty Pipe on its own file", through_pipe)

# /proc and secrets.
secret = sys.argv[1]
hold("environment", lambda: [k for k, v in os.environ.items() if secret in v or k.startswith(("CCEE", "REDIS", "AWS", "TENANT"))])


def all_of_proc():
    seen = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline"):
            try:
                if pid != str(os.getpid()) and secret.encode() in open(f"/proc/{pid}/{name}", "rb").read():
                    seen.append(pid)
            except OSError:
                pass
    return seen


hold("secrets of other processes", all_of_proc)
hold("processes", lambda: [p for p in filter(str.isdigit, os.listdir("/proc")) if int(p) not in (1, os.getpid())])
refuse("init's memory", lambda: open("/proc/1/mem", "r+b"))
refuse("init's environment", lambda: open("/proc/1/environ").read())
refuse("core_pattern", lambda: open("/proc/sys/kernel/core_pattern", "r+"))
refuse("oom_score_adj", lambda: open("/proc/self/oom_score_adj", "w", buffering=1).write("-1000\n"))

# Network.
refuse("a TCP connection", lambda: socket.create_connection(("169.254.169.254", 80), 1), "ENETUNREACH")
refuse("a UDP datagram", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("2606:4700::1111", 53)), "ENETUNREACH")
refuse("MPTCP", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262), "EPROTONOSUPPORT")
refuse("ping", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP), "EPROTONOSUPPORT")
refuse("raw IP", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
hold("interfaces", lambda: [i for i in socket.if_nameindex() if i != (1, "lo")])
refuse("a raw socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), "EAFNOSUPPORT")
refuse("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM), "EAFNOSUPPORT")
refuse("the kernel's ciphers", lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET), "EAFNOSUPPORT")
refuse("generic netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16), "EPROTONOSUPPORT")
refuse("a multicast group", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(
    socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1")), "ENODEV")


def daemon_socket():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[2])


refuse("the daemon's socket", daemon_socket)

# Limits, signals.
refuse("real-time priority", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
refuse("priority", lambda: os.nice(-5))
for name in ("NOFILE", "NPROC", "FSIZE", "CPU", "MEMLOCK"):
    which = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(which)[1]

    def more():
        try:
            resource.setrlimit(which, (hard + 1, hard + 1))
        except ValueError:  # how this module says EPERM
            raise PermissionError(errno.EPERM, "setrlimit")

    refuse("raise RLIMIT_" + name, more)


def core_limit():
    """The host's handler of crashes is started for all but 1."""
    for limit in (0, 0), (0, 1), (resource.RLIM_INFINITY,) * 2:
        resource.setrlimit(resource.RLIMIT_CORE, limit)
        if resource.getrlimit(resource.RLIMIT_CORE) != (1, 1):
            return resource.getrlimit(resource.RLIMIT_CORE)


hold("change RLIMIT_CORE", core_limit)
refuse("change RLIMIT_CORE and read it", lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 0)))
refuse("signal init", lambda: os.kill(1, 0))
refuse("signal init by pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open(1), 0))
hold("terminals of others", lambda: [n for n in os.listdir("/dev/pts") if n != "ptmx"])
refuse("the controlling terminal", lambda: os.open("/dev/tty", os.O_RDWR), "ENXIO")
refuse("type into the terminal", lambda: fcntl.ioctl(0, 0x5412, b"x"))
refuse("type into a terminal", lambda: fcntl.ioctl(os.openpty()[1], 0x5412, b"x"))

print(f"end: {count}")
