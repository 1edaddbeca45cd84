#!/usr/bin/env bash
# Runs the tests of package nsjail on a pure cgroup v2 host: Debian's cloud kernel in a virtual machine under software
# emulation, with an initramfs that holds nothing but busybox and the test binary. Prints the tests' output; exits with
# their status. Needs qemu-system-x86, busybox-static, cpio, gcc and apt-get download (make test-deps installs them).
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${CCEE_CACHE:-$PWD/.cache}/v2
mkdir -p "$cache"

kernel() { # fetches the newest cloud kernel once
	local image
	name() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ {print $2; exit}'; }
	image=$(name)
	[ -n "$image" ] || { apt-get -qq update && image=$(name); }
	[ -n "$image" ] || { echo "apt-get knows no package linux-image-cloud-amd64" >&2; return 1; }
	if [ ! -e "$cache/$image" ]; then
		echo "fetching $image" >&2
		(cd "$cache" && apt-get -qq -o APT::Sandbox::User=root download "$image" && dpkg-deb --fsys-tarfile "$image"_*.deb |
			tar -xO --wildcards './boot/vmlinuz-*' >"$image.part" && mv "$image.part" "$image" && rm -f "$image"_*.deb)
	fi
	echo "$cache/$image"
}

vmlinuz=$(kernel)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,proc,sys,dev,tmp,tests,mnt}
cp "$(command -v busybox)" "$root/bin/busybox"
CGO_ENABLED=1 go test -c -tags netgo,osusergo -ldflags '-linkmode external -extldflags -static' -o "$root/tests/nsjail.test" ./nsjail
cp -r nsjail/testdata "$root/tests/testdata"
gcc -O1 -static -o "$root/tests/prog" nsjail/testdata/*.c

cat >"$root/init" <<'INIT'
#!/bin/busybox sh
# pivot_root can't leave an initramfs, so the tests run on a tmpfs that replaces it.
/bin/busybox mount -t tmpfs none /mnt
/bin/busybox cp -a /bin /tests /proc /sys /dev /tmp /run.sh /mnt/
cd /mnt
/bin/busybox mount --move . /
exec /bin/busybox chroot . /bin/busybox sh /run.sh
INIT
cat >"$root/run.sh" <<'RUN'
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
mkdir -p /dev/shm && chmod 1777 /tmp
mount -t cgroup2 none /sys/fs/cgroup
cd /tests
echo "controllers: $(cat /sys/fs/cgroup/cgroup.controllers), kernel $(uname -r)"
# TestSanitized needs a compiler, TestCgroupV2 is this.
SANDBOX_MUST_WORK=1 SANDBOX_PROG=/tests/prog ./nsjail.test -test.v -test.timeout 3m -test.skip '^Test(Sanitized|CgroupV2)$'
echo "v2 exit status $?"
poweroff -f
RUN
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$cache/initramfs"

log=$(mktemp)
trap 'rm -rf "$root" "$log"' EXIT
timeout --foreground 240 qemu-system-x86_64 -accel tcg -cpu max -m 1024 -smp 2 -nographic -no-reboot \
	-kernel "$vmlinuz" -initrd "$cache/initramfs" -append 'console=ttyS0 quiet panic=-1' </dev/null | tee "$log"
grep -q 'v2 exit status 0' "$log"
