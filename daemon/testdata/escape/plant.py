"""One of two jobs: leaves and opens all that look.py, in another job, looks for. Says "planted"; then waits, or leaves a child that
does and ends. Reports what reaches it."""
import ctypes, fcntl, mmap, os, signal, socket, sys

libc = ctypes.CDLL(None, use_errno=True)
keep = []  # alive as long as this


def plant(name, f):
    """What can't be planted can't be found: that is reported, and look.py must fail all the same."""
    try:
        keep.append(f())
    except OSError as e:
        print(f"not planted: {name}: {e.strerror}")


def reached(*what):
    os.write(1, b"REACHED by %r\n" % (what,))


def listener(name, kind):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(name)
    if kind != socket.SOCK_DGRAM:
        s.listen()
    return s


def datagrams(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(address)
    return s


def file(path):
    with open(path, "w") as f:
        f.write("planted")


def locked(path, lock, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    lock(fd)
    return fd


def c(function, *args):
    r = getattr(libc, function)(*args)
    if r == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r


for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGIO, signal.SIGTERM):
    signal.signal(s, reached)
plant("comm", lambda: open("/proc/self/comm", "w").write("planter"))
for i, kind in enumerate((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)):
    plant("abstract", lambda: listener(f"\0planted-{i}", kind))
plant("socket in /tmp", lambda: listener("/tmp/planted.sock", socket.SOCK_STREAM))
plant("socket in /workspace", lambda: listener("/workspace/planted.sock", socket.SOCK_STREAM))
for d in ("/tmp", "/workspace", "/dev/shm"):
    plant(d, lambda: file(d + "/planted"))
KEY = 0x706C616E
plant("shm", lambda: c("shmget", KEY, 4096, 0o1666))
plant("sem", lambda: c("semget", KEY, 1, 0o1666))
plant("msg", lambda: c("msgget", KEY, 0o1666))
plant("mqueue", lambda: c("mq_open", b"/planted", os.O_CREAT | os.O_RDWR, 0o666, None))
plant("key", lambda: c("syscall", 248, b"user", b"planted", b"x", 1, -4))
plant("listening port", lambda: socket.create_server(("127.0.0.1", 7070)))
plant("UDP port", lambda: datagrams(("127.0.0.1", 7071)))
plant("a terminal", os.openpty)
plant("hostname", lambda: socket.sethostname("planted"))

IMAGE, DEVICE = "/usr/bin/python3.13", "/dev/null"
if not os.path.exists(IMAGE):
    IMAGE = os.path.realpath("/usr/bin/python3")
plant("flock image", lambda: locked(IMAGE, lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)))
plant("flock device", lambda: locked(DEVICE, lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)))
plant("flock directory", lambda: locked("/usr/lib", lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)))
plant("flock root", lambda: locked("/", lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)))
plant("flock /dev", lambda: locked("/dev", lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)))
plant("record lock device", lambda: locked("/dev/zero", lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX, 1, 42), os.O_RDWR))
plant("record lock image", lambda: locked(IMAGE, lambda fd: fcntl.lockf(fd, fcntl.LOCK_SH, 1, 42)))
plant("lease", lambda: locked(IMAGE, lambda fd: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)))
plant("dnotify", lambda: locked("/usr/bin", lambda fd: fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT)))
plant("attribute of a device", lambda: os.setxattr(DEVICE, "user.planted", b"1"))
plant("mode of a device", lambda: os.chmod(DEVICE, 0o606))
plant("time of a device", lambda: os.utime(DEVICE, (1, 1)))
plant("time of the image", lambda: os.utime(IMAGE, (1, 1)))


def shared_zero():
    fd = os.open("/dev/zero", os.O_RDWR)
    m = mmap.mmap(fd, 4096, mmap.MAP_SHARED)
    m[:7] = b"planted"
    return m


plant("pages of a device", shared_zero)


def image_pages():
    fd = os.open(IMAGE, os.O_RDONLY)  # stays open: closing any descriptor of a file drops the record locks on it
    m = mmap.mmap(fd, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    m[:7] = b"planted"  # a copy of its own, if the kernel is right
    return m


plant("pages of the image", image_pages)
# As many processes as the job may have, nearly: another user's count must not see them.
for _ in range(100):
    if os.fork() == 0:
        for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGIO, signal.SIGTERM):
            signal.signal(s, reached)
        while True:
            signal.pause()
print("ids", *open("/proc/self/uid_map").read().split())
print("planted", flush=True)
if sys.argv[1] == "wait":
    while True:
        signal.pause()
