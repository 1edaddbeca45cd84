import ctypes
import mmap
import os

libc = ctypes.CDLL(None)
for name, args in {"shmget": (0, 4096, 0o1600), "semget": (0, 1, 0o1600), "msgget": (0, 0o1600)}.items():
    if getattr(libc, name)(*args) >= 0:
        print("GOT", name)
for do in (lambda: os.memfd_create("x"), lambda: mmap.mmap(-1, 4096)):
    try:
        do()
    except OSError:
        continue
    print("GOT memory that nothing counts")
