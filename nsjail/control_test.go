// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLastWords: what sandbox-init said is read even when it ended with a packet of ours unread, which the kernel reports
// first, as ECONNRESET.
func TestLastWords(t *testing.T) {
	ctl, remote, err := newControl()
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	if err := ctl.send([]op{{code: opWait}}); err != nil {
		t.Fatal(err)
	}
	var failed bytes.Buffer
	if err := binary.Write(&failed, binary.NativeEndian, [replySize / 8]uint64{replyFailed, 0, 0, uint64(unix.ENOENT)}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(remote, failed.Bytes()); err != nil {
		t.Fatal(err)
	}
	unix.Close(remote)
	if r, _, err := ctl.receive(); err != nil || r.code != replyFailed {
		t.Errorf("got %+v, %v, want FAILED", r, err)
	}
}
