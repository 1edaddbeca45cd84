// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"
)

// workingDir is how a process names a socket in its own working directory, whose real path may be too long for an address, or lead through
// directories that the process can't pass. Nobody else can use such a name.
const workingDir = "/proc/self/cwd/"

// nameSocket returns the address for messages, and makes errors of dialling use it: a socket in the working directory has its real path
// there.
func nameSocket(o *redis.Options) string {
	file, ours := strings.CutPrefix(o.Addr, workingDir)
	dir, err := os.Getwd()
	if o.Network != "unix" || !ours || err != nil {
		return o.Network + "://" + o.Addr
	}
	real, timeout := filepath.Join(dir, file), o.DialTimeout
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, addr)
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			op.Addr = &net.UnixAddr{Name: real, Net: network}
		}
		return conn, err
	}
	return "unix://" + real
}
