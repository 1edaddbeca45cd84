// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
)

func TestDecodeSpec(t *testing.T) {
	spec, ignored, err := decodeSpec([]byte(`{"id":"a-1","language":"python","sourceCode":"é","stdin":"AP8=","unknown":{"x":1},
		"files":[{"name":"a/b","data":"eA==","exec":true}],"run":{"wallMs":5},"env":{"A":"b"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if ignored != "unknown" {
		t.Errorf("ignored %q, want unknown", ignored)
	}
	if spec.Source != "é" || !bytes.Equal(spec.Stdin, []byte{0, 255}) || spec.Run.WallMs != 5 || spec.Files[0].Name != "a/b" || spec.Env["A"] != "b" {
		t.Errorf("decoded %+v", spec)
	}
}

func TestDecodeSpecRefuses(t *testing.T) {
	for _, tt := range []struct{ body, field, says string }{
		{"", "", "empty"},
		{"  ", "", "empty"},
		{"{", "", "not JSON"},
		{`{"id":"a"} {}`, "", "not JSON"},
		{"{\"id\":\"a\",\"language\":\"python\",\"sourceCode\":\"caf\xe9\"}", "", "not UTF-8"},
		{`{"id":"a","language":"python","sourceCode":"\ud800"}`, "", "surrogate"},
		{"[]", "", "array"},
		{"null", "id", "must be"},
		{`"x"`, "", "string"},
		{`{"id":5}`, "id", "a string"},
		{`{"id":"a","language":"x","sourceCode":5}`, "sourceCode", "a JSON number, it must be a string"},
		{`{"run":{"wallMs":"5"}}`, "run.wallMs", "a whole number"},
		{`{"run":{"wallMs":1.5}}`, "run.wallMs", "number 1.5"},
		{`{"run":{"wallMs":99999999999999999999}}`, "run.wallMs", "a whole number"},
		{`{"run":7}`, "run", "an object"},
		{`{"args":"x"}`, "args", "an array"},
		{`{"args":[1]}`, "args", "a string"},
		{`{"env":[]}`, "env", "an object"},
		{`{"files":[{"exec":"yes"}]}`, "files.exec", "true or false"},
		{`{"stdin":5}`, "stdin", "base64"},
		{`{"id":"a","stdin":"?"}`, "stdin", "not base64"},
		{`{"files":[{"data":"eA=="},{"data":"eA="}]}`, "files.1.data", "not base64"},
		{`{"id":"a b","language":"x","sourceCode":"x"}`, "id", "characters"},
		{`{"id":"a","language":"x","sourceCode":"x","files":[{"name":"../x"}]}`, "files", "climb"},
	} {
		_, _, err := decodeSpec([]byte(tt.body))
		e, ok := err.(*job.Error)
		if !ok || e.Code != job.EInvalid || e.Field != tt.field || !strings.Contains(e.Message, tt.says) {
			t.Errorf("decodeSpec(%s) = %#v, want EInvalid, field %q, saying %q", tt.body, err, tt.field, tt.says)
		}
	}
}

// The largest Spec that Validate takes must fit into the bound of the body, also where JSON doubles it.
func TestLargestSpecFits(t *testing.T) {
	spec := job.Spec{
		ID: strings.Repeat("a", job.MaxIDBytes), Language: "python",
		Source: strings.Repeat("\n", job.MaxSourceBytes), Stdin: make([]byte, job.MaxStdinBytes),
		Files: []job.File{{Name: "f", Data: make([]byte, job.MaxFileBytes)}},
		Args:  []string{strings.Repeat("\"", job.MaxArgBytes-1)},
	}
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > maxBody {
		t.Errorf("the largest spec has %d bytes, the bound is %d", len(body), maxBody)
	}
}

func FuzzSpecDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a","language":"python","sourceCode":"print(1)","stdin":"` + base64.StdEncoding.EncodeToString([]byte{0, 1}) + `"}`))
	f.Add([]byte(`{"id":"a","language":"java","files":[{"name":"Main.java","data":"eA=="}],"run":{"wallMs":1}}`))
	f.Add([]byte(`{"id":"a","language":"java","sourceCode":"package a; public class B { \"} '"}`))
	f.Add([]byte(`{"stdin":"?","files":[{"data":1}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		spec, _, err := decodeSpec(body)
		if err != nil {
			if e, ok := err.(*job.Error); !ok || e.Message == "" {
				t.Errorf("%q: %#v, want a *job.Error with a message", body, err)
			}
			return
		}
		for _, lang := range []job.Language{
			{Name: "python", SourceFile: "main.py", Run: []string{"/python3", "main.py"}},
			{Name: "java", SourceFile: "Main.java", PublicClass: true, Compile: []string{"/javac", "{source}"}, Run: []string{"/java", "{class}"}},
		} {
			p, err := plan.New(spec, lang)
			if err != nil {
				continue
			}
			for _, s := range p.Steps {
				for _, file := range s.Files {
					if job.ValidName(file.Name) != nil {
						t.Errorf("%q: writes a file named %q", body, file.Name)
					}
				}
			}
		}
	})
}
