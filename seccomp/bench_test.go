// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"
)

// BenchmarkFilter says what a call costs without a filter, under one that allows all, and under the default one: for a call
// that is allowed whatever its arguments are, which the kernel remembers, and for calls whose arguments are looked at.
func BenchmarkFilter(b *testing.B) {
	try := newTryer(b)
	filters := []struct {
		name    string
		program []byte
	}{
		{"none", nil},
		{"allow-all", mustCompile(b, &Policy{DefaultAction: ActAllow})},
		{"default", mustCompile(b, Default())},
	}
	calls := []struct {
		name, call string
		args       []uint64
	}{
		{"getppid", "getppid", nil},
		{"fcntl-F_GETFD", "fcntl", []uint64{1, 1}},
		{"mmap-invalid", "mmap", nil},
		{"ioctl-FIONBIO", "ioctl", []uint64{99, 0x5421}},
	}
	for _, c := range calls {
		nr, _ := numberOn(hostArch(b), c.call)
		for _, f := range filters {
			b.Run(c.name+"/"+f.name, func(b *testing.B) {
				argv := []string{"time", fmt.Sprint(b.N), fmt.Sprint(nr)}
				for _, a := range c.args {
					argv = append(argv, fmt.Sprint(a))
				}
				cmd := exec.Command(try.path, argv...)
				cmd.Stdin = bytes.NewReader(f.program)
				out, err := cmd.Output()
				if err != nil {
					b.Fatal(err)
				}
				var ns float64
				if _, err := fmt.Sscan(string(out), &ns); err != nil {
					b.Fatalf("try time says %q: %v", out, err)
				}
				b.ReportMetric(ns, "ns/op")
			})
		}
	}
}
