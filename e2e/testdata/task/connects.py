import socket

for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 17, 38, 40, 44):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind)
        except OSError:
            continue
        print("GOT", family, kind)
try:
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    print("GOT datagrams")
except OSError:
    pass
a, b = socket.socketpair()
for name in ("/run/d.sock", "\0x"):
    try:
        a.connect(name)
        print("GOT", name)
    except OSError:
        pass
