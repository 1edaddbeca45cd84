// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestExamples: what README.md and examples/README.md tell people to run does what they say.
func TestExamples(t *testing.T) {
	s := sharedUp(t)
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	socket := []string{"run", "--socket", s.socket()}
	for _, tt := range []struct {
		name, stdin, want string
		command           []string
	}{
		{name: "hello.py", command: append([]string{binary}, append(socket, "hello.py")...), want: "hello\n"},
		{name: "hello.js", command: append([]string{binary}, append(socket, "hello.js")...), want: "hello\n"},
		{name: "Hello.java", command: append([]string{binary}, append(socket, "Hello.java")...), want: "hello\n"},
		{name: "sum.py", stdin: "1 2 3\n", command: append([]string{binary}, append(socket, "--memory", "64M", "--time", "2s", "sum.py", "--fast")...), want: "6\n"},
		{name: "plot.py", command: append([]string{binary}, append(socket, "--out", "*.svg", "--out-dir", out, "plot.py")...), want: "wrote sine.svg\n"},
		{name: "client.sh", command: []string{"./client.sh"}, want: "42\n"},
		{name: "client.py", command: []string{"python3", "client.py"}, want: "42\n"},
		{name: "client.mjs", command: []string{"node", "client.mjs"}, want: "42\n"},
		{name: "client.go", command: []string{"go", "run", "./client"}, want: "42\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.command[0]); err != nil && !filepath.IsAbs(tt.command[0]) && tt.command[0] != "./client.sh" {
				t.Logf("not run: there is no %s", tt.command[0])
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute+patience.Long())
			defer cancel()
			cmd := exec.CommandContext(ctx, tt.command[0], tt.command[1:]...)
			cmd.Dir, cmd.Stdin = examples, bytes.NewBufferString(tt.stdin)
			cmd.Env = append(os.Environ(), "CCEE_URL="+s.url, "CCEE_API_KEY="+key)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			got, err := cmd.Output()
			if err != nil || string(got) != tt.want {
				t.Errorf("%q, %v, want %q\n%s", got, err, tt.want, stderr.Bytes())
			}
			if tt.name == "plot.py" {
				if _, err := os.Stat(filepath.Join(out, "sine.svg")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
