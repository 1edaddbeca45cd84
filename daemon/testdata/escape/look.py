"""The other of two jobs: looks for what plant.py left, connects and sends to it. Everything must be as if this job were alone."""
import ctypes, errno, fcntl, mmap, os, signal, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
GROUP = sys.argv[1]
USUAL = "EPERM EACCES ENOSYS ENOENT EROFS ECONNREFUSED ESRCH EAFNOSUPPORT"
count = 0


def report(name, word, evidence):
    global count
    count += 1
    print(f"{GROUP}/{name}: {word}: {evidence}", flush=True)


def refuse(name, attempt, also=""):
    try:
        got = attempt()
    except OSError as e:
        code = errno.errorcode[e.errno]
        report(name, "refused" if code in (USUAL + " " + also).split() else "ESCAPED", code)
    else:
        report(name, "ESCAPED", f"it worked: {got!r:.80}")


def hold(name, look):
    wrong = look()
    report(name, "ESCAPED" if wrong else "held", f"{wrong!r:.80}" if wrong else "nothing there")


def c(function, *args):
    r = getattr(libc, function)(*args)
    if r == -1:
        raise OSError(ctypes.get_errno(), function)
    return r


def connect(name, kind, text=None):
    s = socket.socket(socket.AF_UNIX, kind)
    s.connect(name)
    return s


def datagram(address):
    """Who sends to a port that nobody has is told so."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.connect(address)
    s.send(b"x")
    try:
        return s.recv(1)
    except TimeoutError:
        return "sent"


def take(path, lock, flags=os.O_RDONLY):
    """A lock that another has is the other's bit."""
    fd = os.open(path, flags)
    try:
        lock(fd)
    except OSError as e:
        return "locked by another: " + e.strerror
    finally:
        os.close(fd)


for i, kind in enumerate((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)):
    refuse(f"abstract socket, type {kind.value}", lambda: connect(f"\0planted-{i}", kind))
refuse("socket in /tmp", lambda: connect("/tmp/planted.sock", socket.SOCK_STREAM))
refuse("socket in /workspace", lambda: connect("/workspace/planted.sock", socket.SOCK_STREAM))
for d in ("/tmp", "/workspace", "/dev/shm"):
    refuse("file in " + d, lambda: open(d + "/planted").read())
hold("names in /tmp and /dev/shm", lambda: os.listdir("/tmp") + os.listdir("/dev/shm"))
KEY = 0x706C616E
refuse("System V segment", lambda: c("shmget", KEY, 4096, 0o666))
refuse("System V semaphore", lambda: c("semget", KEY, 1, 0o666))
refuse("System V queue", lambda: c("msgget", KEY, 0o666))
hold("System V lists", lambda: [l for n in ("shm", "sem", "msg") for l in open("/proc/sysvipc/" + n).readlines()[1:]])
refuse("POSIX queue", lambda: c("mq_open", b"/planted", os.O_RDONLY), "EMFILE")
refuse("POSIX segment", lambda: c("shm_open", b"/planted", os.O_RDONLY, 0))
refuse("key by name", lambda: c("syscall", 249, b"user", b"planted", None, -4))
refuse("key by search", lambda: c("syscall", 250, 10, -4, b"user", b"planted", 0))
hold("list of keys", lambda: open("/proc/keys").read() if os.path.exists("/proc/keys") else "")
refuse("listening port", lambda: socket.create_connection(("127.0.0.1", 7070), 1))
refuse("UDP port", lambda: datagram(("127.0.0.1", 7071)))
hold("ports that are listed", lambda: [l for n in ("tcp", "tcp6", "udp", "udp6") for l in open("/proc/net/" + n).readlines()[1:] if ":1B9E" in l or ":1B9F" in l])
hold("terminals", lambda: [n for n in os.listdir("/dev/pts") if n != "ptmx"])
refuse("terminal", lambda: os.open("/dev/pts/0", os.O_RDWR | os.O_NOCTTY))
refuse("inotify", lambda: c("inotify_init1", 0))
refuse("fanotify", lambda: c("fanotify_init", 0x200, 0))
hold("hostname", lambda: "" if socket.gethostname() == "sandbox" else socket.gethostname())

numbers = [int(p) for p in os.listdir("/proc") if p.isdigit()]
hold("processes", lambda: [p for p in numbers if p not in (1, os.getpid())])
hold("names of processes", lambda: [p for p in numbers if "planter" in open(f"/proc/{p}/comm").read()])


def answers():
    found = []
    for pid in range(2, 65536):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        except PermissionError:
            pass
        if pid != os.getpid():
            found.append(pid)
    return found


hold("pids that answer", answers)
refuse("a signal to all", lambda: os.kill(-1, signal.SIGUSR1))  # reaches only the own pid namespace, which has nobody else


def own_signal_io():
    """F_SETOWN to pids of outside: the kernel must not know them."""
    r, w = os.pipe()
    found = []
    for pid in range(2, 2000):
        if pid != os.getpid():
            try:
                fcntl.fcntl(r, fcntl.F_SETOWN, pid)
                found.append(pid)
            except OSError:
                pass
    return found


hold("owners of descriptors", own_signal_io)
hold("list of unix sockets", lambda: [l for l in open("/proc/net/unix").readlines()[1:] if "planted" in l])
hold("list of locks", lambda: open("/proc/locks").read() if os.path.exists("/proc/locks") else "")
hold("cgroup", lambda: [l for l in open("/proc/self/cgroup") if not l.endswith(":/\n")])
hold("mounts", lambda: [l for l in open("/proc/self/mountinfo") if "planted" in l])

IMAGE, DEVICE = "/usr/bin/python3.13", "/dev/null"
if not os.path.exists(IMAGE):
    IMAGE = os.path.realpath("/usr/bin/python3")
EX, SH, NB = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB
hold("flock on a file of the image", lambda: take(IMAGE, lambda fd: fcntl.flock(fd, EX | NB)))
hold("flock on a directory of the image", lambda: take("/usr/lib", lambda fd: fcntl.flock(fd, EX | NB)))
hold("flock on the root", lambda: take("/", lambda fd: fcntl.flock(fd, EX | NB)))
hold("flock on a device", lambda: take(DEVICE, lambda fd: fcntl.flock(fd, EX | NB)))
hold("flock on /dev", lambda: take("/dev", lambda fd: fcntl.flock(fd, EX | NB)))
hold("record lock on a device", lambda: take("/dev/zero", lambda fd: fcntl.lockf(fd, EX | NB, 1, 42), os.O_RDWR))


def asked_for_lock():
    """F_GETLK needs no right to write: it says who would be in the way of a write lock."""
    fd = os.open(IMAGE, os.O_RDONLY)
    kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 42, 1, 0)))
    os.close(fd)
    return "" if kind == fcntl.F_UNLCK else f"a lock of pid {pid}"


hold("record lock on a file of the image", asked_for_lock)
refuse("attribute of a device", lambda: os.getxattr(DEVICE, "user.planted"), "ENODATA EOPNOTSUPP")
hold("mode and times of a device", lambda: "" if os.stat(DEVICE).st_mode & 0o777 == 0o666 and os.stat(DEVICE).st_mtime > 1 else os.stat(DEVICE))
hold("times of the image", lambda: "" if os.stat(IMAGE).st_mtime > 1 else os.stat(IMAGE))


def zero_pages():
    fd = os.open("/dev/zero", os.O_RDWR)
    return mmap.mmap(fd, 4096, mmap.MAP_SHARED)[:7].strip(b"\0")


hold("pages of a device", zero_pages)
hold("pages of the image", lambda: "" if open(IMAGE, "rb").read(4) == b"\x7fELF" else open(IMAGE, "rb").read(16))


def many_forks():
    """The other job has 100 processes: the limit on a user's processes must not count them."""
    pids = []
    try:
        for _ in range(100):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            pids.append(pid)
    except OSError as e:
        return e.strerror
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


hold("processes of the same user", many_forks)


def host_ids(text):
    """The host ids in the columns of a uid_map: inside, outside, count."""
    columns = [int(n) for n in text.split()]
    return {first + n for first, size in zip(columns[1::3], columns[2::3]) for n in range(size)}


# The other's map is the argument, or nothing where the other is gone.
hold("ids of the host", lambda: host_ids(open("/proc/self/uid_map").read()) & host_ids(sys.argv[2]))
print(f"end: {count}")
