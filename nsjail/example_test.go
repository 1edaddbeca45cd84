// SPDX-License-Identifier: Apache-2.0

package nsjail_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/nsjail"
)

// A program runs in a sandbox of its own. It needs root and an image, so it is compiled here and not run.
func Example() {
	cgroups, err := nsjail.OpenCgroups("my-jails")
	if err != nil {
		log.Fatal(err)
	}
	defer cgroups.Close()
	spawner, err := nsjail.NewSpawner(cgroups, "/var/lib/my-images")
	if err != nil {
		log.Fatal(err)
	}
	defer spawner.Close()

	ids := []nsjail.IDMap{{ContainerID: 0, HostID: 900000, Size: 1}, {ContainerID: 1000, HostID: 900001, Size: 1}}
	limits := nsjail.Resources{MemoryMax: 64 << 20, PidsMax: 16, CPUMillicores: 1000}
	sb, err := spawner.New(context.Background(), nsjail.Config{
		Root: "/var/lib/my-images/python", Hostname: "sandbox", UIDMappings: ids, GIDMappings: ids, Resources: limits,
		Mounts: []nsjail.Tmpfs{{Destination: "/tmp", Size: 16 << 20, Inodes: 1024, Mode: 0o1777}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()

	allowAll := []byte{0x06, 0, 0, 0, 0, 0, 0xff, 0x7f} // BPF: return SECCOMP_RET_ALLOW. Package seccomp compiles policies
	result, err := sb.Run(context.Background(), nsjail.Process{
		Args: []string{"/usr/bin/python3", "main.py"}, Env: []string{"PATH=/usr/bin"}, Cwd: "/tmp", UID: 1000, GID: 1000, Umask: 0o022,
		Files:    []nsjail.File{{Name: "main.py", Data: []byte("print(6*7)"), Mode: 0o644}},
		Rlimits:  []nsjail.Rlimit{{Type: unix.RLIMIT_NOFILE, Soft: 64, Hard: 64}},
		Seccomp:  allowAll,
		WallTime: 5 * time.Second, CPUTime: 2 * time.Second, OutputMax: 1 << 16, FloodMax: 1 << 20, Resources: limits,
	})
	if err != nil {
		log.Fatal(err) // a fault of the host or of this program
	}
	fmt.Println(result.Verdict == nsjail.Exited, result.ExitCode, string(result.Stdout.Data), result.Usage.Wall)
}
