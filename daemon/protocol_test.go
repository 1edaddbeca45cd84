// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The lines in PROTOCOL.md that people are told to try must work.
func TestProtocolExamples(t *testing.T) {
	s := realDaemon(t, nil)
	if _, err := exec.LookPath("curl"); err != nil {
		cannot(t, "needs curl")
	}
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	wants := []string{`"name":"python"`, `"text":"42\n"`, `"data":"aGkK"`, `"text":"x y\n"`, `"code":"not_found"`}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != len(wants) {
		t.Fatalf("PROTOCOL.md has %d blocks of sh, the test knows %d", len(blocks), len(wants))
	}
	for i, b := range blocks {
		command := strings.ReplaceAll(b[1], "/run/ccee/daemon.sock", s.path)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
		if err != nil || !strings.Contains(string(out), wants[i]) {
			t.Errorf("%s\n%v\n%s\nwant %s", command, err, out, wants[i])
		}
	}
}
