import os

for d in ("/run", "/usr", "/", "/etc", "/proc/sys/kernel", "/var/tmp", "/dev/mqueue", "/dev", "/run/lock"):
    try:
        open(d + "/x", "w")
    except OSError:
        continue
    print("GOT", d)
