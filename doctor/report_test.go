// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ccee-dev/ccee/nsjail"
)

func TestPrintReport(t *testing.T) {
	var out bytes.Buffer
	err := Report{
		{Check: nsjail.Check{Name: "a", OK: true, Detail: "there", Fix: "none"}},
		{Check: nsjail.Check{Name: "b", Needed: true, Detail: "not there", Fix: "get it"}},
		{Check: nsjail.Check{Name: "c", Detail: "not there"}},
		{Check: nsjail.Check{Name: "d", Needed: true, Detail: "can't be read", Fix: "be root"}, Unknown: true},
	}.Print(&out)
	pad := strings.Repeat(" ", 24)
	want := "ok       a" + pad + "there\n" +
		"MISSING  b" + pad + "not there\n" + strings.Repeat(" ", 35) + "-> get it\n" +
		"without  c" + pad + "not there\n" +
		"unknown  d" + pad + "can't be read\n" + strings.Repeat(" ", 35) + "-> be root\n"
	if err != nil || out.String() != want {
		t.Errorf("%v, printed\n%s\nwant\n%s", err, out.String(), want)
	}
}

// TestImageStoreAsAnyUser: a store that this user can't read is not called missing.
func TestImageStoreAsAnyUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir, err := os.MkdirTemp("", "ccee-store-") // t.TempDir's parents are closed to others, which would hide the store itself
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var c Check
	asUser(t, 65534, func() { c = imageStore(t.Context(), dir) })
	if c.OK || !c.Unknown || c.Detail != "uid 65534 can't read the directory "+dir || c.Fix != "run ccee doctor as root" {
		t.Errorf("a closed store: %+v, want unknown", c)
	}
	none := filepath.Join(dir, "none")
	if c = imageStore(t.Context(), none); c.OK || c.Unknown || !strings.Contains(c.Detail, "no language images at "+none) {
		t.Errorf("no store: %+v, want that there is none", c)
	}
}

// asUser runs f with the effective uid of another user, in all threads, as Go's setresuid does.
func asUser(t *testing.T, uid int, f func()) {
	t.Helper()
	if err := syscall.Setresuid(-1, uid, -1); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setresuid(-1, 0, -1); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// TestHealthy: only what is needed can make a host unhealthy, also where this user could not try it.
func TestHealthy(t *testing.T) {
	row := func(ok, needed, unknown bool) Check {
		return Check{Check: nsjail.Check{OK: ok, Needed: needed}, Unknown: unknown}
	}
	for _, tt := range []struct {
		name string
		r    Report
		want bool
	}{
		{"nothing", nil, true},
		{"all there", Report{row(true, true, false), row(true, false, false)}, true},
		{"something missing that is not needed", Report{row(true, true, false), row(false, false, false)}, true},
		{"something missing that is needed", Report{row(false, true, false), row(true, true, false)}, false},
		{"something needed that is unknown", Report{row(false, true, true)}, false},
	} {
		if got := tt.r.Healthy(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
