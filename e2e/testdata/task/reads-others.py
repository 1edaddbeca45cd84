import os

for p in os.listdir("/proc"):
    if not p.isdigit() or int(p) == os.getpid():
        continue
    for f in ("environ", "mem", "maps", "fd/0", "root/etc", "cwd/x", "auxv", "stack", "syscall"):
        try:
            open(f"/proc/{p}/{f}", "rb").read(1)
        except OSError:
            continue
        print("GOT", p, f)
for f in ("/run/d.sock", "/etc/shadow", "/dev/mem", "/dev/kmsg", "/sys/fs/cgroup/memory.max"):
    try:
        open(f, "rb").read(1)
    except OSError:
        continue
    print("GOT", f)
