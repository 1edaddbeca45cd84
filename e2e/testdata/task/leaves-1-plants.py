import os

for d in ("/workspace", "/tmp", "/dev/shm"):
    os.mkdir(d + "/planted")
    open(d + "/planted/f", "w").write("x")
    os.chmod(d + "/planted", 0)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            pass
