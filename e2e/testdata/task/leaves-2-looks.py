import os

for d in ("/workspace", "/tmp", "/dev/shm"):
    if "planted" in os.listdir(d):
        print("GOT", d)
for p in os.listdir("/proc"):
    if p.isdigit() and int(p) != os.getpid() and os.stat("/proc/" + p).st_uid == os.getuid():
        print("GOT", p)
