// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

const plants = `import os
os.makedirs('out/deep')
open('out/deep/a.bin', 'wb').write(b'\x00\xff')
open('report.txt', 'w').write('done\n')
os.symlink('/etc/passwd', 'out/link')
os.mkfifo('out/pipe')
`

// TestOutputFiles: files that a program wrote are returned over REST; links and pipes that it planted are reported.
func TestOutputFiles(t *testing.T) {
	s := sharedUp(t)
	id := s.submit(t, body{"language": "python", "sourceCode": plants, "outputFiles": []string{"report.txt", "out/**"}})
	if _, err := s.await(id, 60e9); err != nil {
		t.Fatal(err)
	}
	status, answer, err := s.request("GET", "/v1/jobs/"+id, key, nil)
	if err != nil || status != 200 {
		t.Fatalf("%d %s, %v", status, answer, err)
	}
	var j struct {
		Result struct{ OutputFiles json.RawMessage }
	}
	if err := json.Unmarshal(answer, &j); err != nil {
		t.Fatal(err)
	}
	const want = `{"files":[{"name":"out/deep/a.bin","bytes":2,"contentBase64":"AP8=","executable":false},` +
		`{"name":"report.txt","bytes":5,"content":"done\n","executable":false}],` +
		`"skipped":[{"name":"out/link","reason":"symlink"},{"name":"out/pipe","reason":"fifo"}],"more":0}`
	if got := string(j.Result.OutputFiles); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestRunOut: ccee run writes them into a directory, and never over a file that exists.
func TestRunOut(t *testing.T) {
	s := sharedUp(t)
	source, dir := file(t, "a.py", plants), filepath.Join(t.TempDir(), "got")
	args := []string{"run", "--socket", s.socket(), "--out", "*.txt", "--out", "out/**", "--out-dir", dir, source}
	if got := ccee(t, "", nil, args...); got != (ran{0, "", "ccee: not saved: \"out/link\": symlink\nccee: not saved: \"out/pipe\": fifo\n"}) {
		t.Errorf("got %+v", got)
	}
	for name, want := range map[string]string{"report.txt": "done\n", "out/deep/a.bin": "\x00\xff"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if got := ccee(t, "", nil, args...); got.code != 125 {
		t.Errorf("again: %+v, want 125: the files exist", got)
	}
	got := ccee(t, "", nil, "run", "--socket", s.socket(), "--json", "--out", "*.txt", source)
	var r job.Result
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || r.OutputFiles == nil || len(r.OutputFiles.Files) != 1 || string(r.OutputFiles.Files[0].Data) != "done\n" {
		t.Errorf("--json: %v, %+v", err, got)
	}
	if got := ccee(t, "", nil, "run", "--socket", s.socket(), "--out", "/etc/*", source); got.code != 2 {
		t.Errorf("an absolute glob: %+v, want 2", got)
	}
}
