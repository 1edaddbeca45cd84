// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/nsjail/escape"
)

func TestPrintEscape(t *testing.T) {
	outcomes := []escape.Outcome{
		{Group: "mounts", Name: "chroot", Held: true, Evidence: "EPERM"},
		{Group: "keyrings", Name: "add_key", Evidence: "it worked"},
		{Group: "mounts", Name: "tmpfs", Held: true, Evidence: "EPERM"},
		{Group: "keyrings", Name: "keyctl", Held: true, Evidence: "EPERM"},
	}
	var text, json bytes.Buffer
	if err := Escape(outcomes).Print(&text); err != nil {
		t.Fatal(err)
	}
	want := "held     mounts                   all of 2 attempts refused\n" +
		"ESCAPED  keyrings                 add_key: it worked\n" + strings.Repeat(" ", 33) + "-> " + escape.Fix("keyrings") + "\n"
	if text.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", text.String(), want)
	}
	if err := Escape(outcomes).PrintJSON(&json); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"ok": false`, `"attempt": "add_key"`, `"held": false`, `"fix": "`} {
		if strings.Count(json.String(), want) != 1 {
			t.Errorf("%s is not there once:\n%s", want, json.String())
		}
	}
}
