# Terminals: a program that drives another, as script(1), pexpect and test harnesses do.
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios, tty


def read_all(fd):
    data = b""
    while True:
        try:
            more = os.read(fd, 1000)
        except OSError:  # EIO: nobody has the other end any more
            return data
        if not more:
            return data
        data += more


def expect(fd, text):
    """What is read until that text comes."""
    data = b""
    while text not in data:
        data += os.read(fd, 1000)
    return data


master, slave = os.openpty()
print("openpty", os.isatty(slave), os.ttyname(slave), oct(os.fstat(slave).st_mode & 0o777))
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
print("size", os.get_terminal_size(slave))
child = subprocess.Popen(["/bin/sh", "-c", "test -t 0 && test -t 1 && echo a terminal; read line; echo got $line"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
os.close(slave)
print("subprocess", expect(master, b"a terminal\r\n"))
os.write(master, b"typed\n")
print(read_all(master), child.wait())

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-c", "import os, sys; print(sys.stdin.isatty(), os.ctermid(), open('/dev/tty').isatty()); print(input('name? '))"])
print("fork", expect(fd, b"name? "))
os.write(fd, b"me\n")
print(read_all(fd), os.waitpid(pid, 0)[1])

pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.write(1, b"ready")
    signal.pause()
expect(fd, b"ready")
os.write(fd, b"\x03")  # Ctrl-C is a signal, by the terminal
print("interrupt", os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGINT)

master, slave = os.openpty()
tty.setraw(slave)
os.write(master, b"\x03raw")
print("raw", os.read(slave, 10))
old = termios.tcgetattr(slave)
old[3] |= termios.ECHO | termios.ICANON
termios.tcsetattr(slave, termios.TCSADRAIN, old)
termios.tcflush(slave, termios.TCIOFLUSH)
os.write(master, b"line\n")
print("canonical", os.read(slave, 10), expect(master, b"line\n"))
print("spawn", pty.spawn(["/bin/sh", "-c", "exit 3"], lambda fd: os.read(fd, 100)) >> 8)
try:
    more = [os.openpty() for _ in range(100)]
except OSError as e:
    print("too many", e.errno)
