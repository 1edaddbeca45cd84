import os

for signal in (19, 9):
    for p in os.listdir("/proc"):
        if p.isdigit() and int(p) != os.getpid():
            try:
                os.kill(int(p), signal)
            except OSError:
                continue
            print("GOT", p)
