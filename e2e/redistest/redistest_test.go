// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A killed server is gone; started again, a durable one has what was written, also when its file ends in half a command.
func TestKillAndStart(t *testing.T) {
	for _, durable := range []bool{false, true} {
		s := newServer(t, durable)
		s.Do(t, "SET", "k", "v w")
		s.Kill()
		if c, err := net.Dial("unix", s.Socket()); err == nil {
			c.Close()
			t.Error("a killed server accepts connections")
		}
		want := ""
		if durable {
			want = "v w"
			cutOff(t, s)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if got := s.Do(t, "GET", "k"); got != want {
			t.Errorf("durable %v: the key is %q, want %q", durable, got, want)
		}
	}
}

// cutOff makes the server's file end within a transaction.
func cutOff(t *testing.T, s *Server) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v, want one file", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\nhalf\r\n"); err != nil {
		t.Fatal(err)
	}
}

func TestEndsWithItsTest(t *testing.T) {
	var s *Server
	t.Run("uses it", func(t *testing.T) { s = New(t) })
	if s == nil {
		Require(t)
		t.Fatal("New returned nothing")
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("its directory: %v, want none", err)
	}
	if err := s.ping(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("ping = %v, want that there is no socket", err)
	}
}
