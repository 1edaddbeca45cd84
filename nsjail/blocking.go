// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"encoding/binary"
	"runtime"

	"golang.org/x/sys/unix"
)

// keepBlocking returns the filter bpf for a program whose stdout and stderr stay blocking: making them non-blocking does
// nothing and succeeds. When capture reads in order a pipe is full after one write. A runtime that doesn't wait for it, such as
// Node's, would write later, and then not in the order in which the program did.
//
// The decisions of bpf about these calls are never asked for.
func keepBlocking(bpf []byte) []byte {
	const fionbio = 0x5421 // ioctl(2), include/uapi/asm-generic/ioctls.h
	const (                // offsets in struct seccomp_data; of the arguments, the low half
		nr, arch = 0, 4
		arg0     = 16
		arg1     = 24
		arg2     = 32
	)
	native := uint32(unix.AUDIT_ARCH_X86_64)
	if runtime.GOARCH == "arm64" {
		native = unix.AUDIT_ARCH_AARCH64
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// is and has go on yes or no instructions further if it is k, or has bits of k.
	is := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	has := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	program := []unix.SockFilter{
		load(arch), is(native, 0, 13),
		load(arg0), is(1, 1, 0), is(2, 0, 10),
		load(nr), is(unix.SYS_FCNTL, 3, 0), is(unix.SYS_IOCTL, 0, 7),
		load(arg1), is(fionbio, 4, 5),
		load(arg1), is(unix.F_SETFL, 0, 3),
		load(arg2), has(unix.O_NONBLOCK, 0, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO}, // 0
	}
	out := make([]byte, 0, 8*len(program)+len(bpf))
	for _, f := range program {
		out = binary.NativeEndian.AppendUint16(out, f.Code)
		out = append(out, f.Jt, f.Jf)
		out = binary.NativeEndian.AppendUint32(out, f.K)
	}
	return append(out, bpf...)
}
