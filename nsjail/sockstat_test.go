// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The lists are those of proc_pid_net(5).
func TestSocketLists(t *testing.T) {
	const lists = "sockets: used 11\nTCP: inuse 5 orphan 1 tw 2 alloc 9 mem 3\nUDP: inuse 2 mem 100\nUDPLITE: inuse 0\nRAW: inuse 7\nTCP6: inuse 4\nUDP6: inuse 1\n"
	count := func(list string) (s sockets) {
		s.add(list)
		return s
	}
	if got, want := count(lists), (sockets{11, 9, 3, 3 * int64(os.Getpagesize()), 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if got := count(""); got != (sockets{}) || !got.none() {
		t.Errorf("of nothing: %+v", got)
	}
	long := filepath.Join(t.TempDir(), "netlink")
	if err := os.WriteFile(long, bytes.Repeat([]byte("0123456789"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(long)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		if got := readAgain(int(f.Fd())); len(got) != 50_000 || got[49_990:] != "0123456789" {
			t.Errorf("%d bytes of 50,000", len(got))
		}
	}
	if got := readAgain(-1); got != "" {
		t.Errorf("of no list: %q", got)
	}
	rows, waiting := netlinkQueued("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n" +
		"00000000b1aa7e6d 0   0          00000000 5        0        0     2        0        4\n" +
		"000000006278d4e8 0   21         00000000 4096     0        0     2        0        565\n" +
		"000000006278d4e9 0   4294963200 00000000 100      0        0     2        0        566\n")
	if rows != 3 || waiting != 4201 {
		t.Errorf("netlink: %d sockets, %d bytes; want 3, 4201", rows, waiting)
	}
	const tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:07E8 0100007F:A000 01 00000010:00001000 00:00000000 00000000     0        0 0 1 0\n" +
		"   1: 0100007F:07E8 0100007F:A001 01 00000010:00000001 00:00000000 00000000     0        0 77 1 0\n"
	for _, tt := range []struct {
		onlyOrphans bool
		rows, bytes int64
	}{{false, 2, 4097}, {true, 1, 4096}} {
		if rows, bytes := queued(tcp, tt.onlyOrphans); rows != tt.rows || bytes != tt.bytes {
			t.Errorf("TCP: %d sockets, %d bytes; want %+v", rows, bytes, tt)
		}
	}
}

func FuzzSocketLists(f *testing.F) {
	f.Add("   0: 0100007F:07E8 0100007F:A000 01 00000010:00001000 00:00000000 00000000     0        0 0 1 0\n")
	f.Fuzz(func(t *testing.T, list string) {
		queued(list, true)
		netlinkQueued(list)
		new(sockets).add(list)
	})
}
