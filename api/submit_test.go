// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ccee-dev/ccee/job"
)

const languageEnum = `'javascript' | 'python' | 'java'`

// Everything that is wrong with a submission, in the contract's words.
func TestSubmitValidation(t *testing.T) {
	s := newStack(t, nil)
	with := func(more string) string { return `{"language":"python","sourceCode":"x",` + more + `}` }
	chars := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		name, body string
		want       string // fieldErrors
	}{
		{"empty", `{}`, `{"language":["Required"],"sourceCode":["Required"]}`},
		{"null", `null`, `{"language":["Required"],"sourceCode":["Required"]}`},
		{"names are case-sensitive", `{"Language":"python","SOURCECODE":"x"}`, `{"language":["Required"],"sourceCode":["Required"]}`},
		{"unknown language", `{"language":"x","sourceCode":"x"}`,
			`{"language":["Invalid enum value. Expected ` + languageEnum + `, received 'x'"]}`},
		{"language of another kind", `{"language":7,"sourceCode":"x"}`, `{"language":["Expected ` + languageEnum + `, received number"]}`},
		{"language null", `{"language":null,"sourceCode":"x"}`, `{"language":["Expected ` + languageEnum + `, received null"]}`},
		{"source of another kind", `{"language":"python","sourceCode":["x"]}`, `{"sourceCode":["Expected string, received array"]}`},
		{"source null", `{"language":"python","sourceCode":null}`, `{"sourceCode":["Expected string, received null"]}`},
		{"source empty", `{"language":"python","sourceCode":""}`, `{"sourceCode":["String must contain at least 1 character(s)"]}`},
		{"source too long", `{"language":"python","sourceCode":"` + chars(100_001) + `"}`,
			`{"sourceCode":["String must contain at most 100000 character(s)"]}`},
		{"characters are UTF-16 units", `{"language":"python","sourceCode":"` + strings.Repeat("😀", 50_001) + `"}`,
			`{"sourceCode":["String must contain at most 100000 character(s)"]}`},
		{"stdin null", with(`"stdin":null`), `{"stdin":["Expected string, received null"]}`},
		{"stdin too long", with(`"stdin":"` + chars(100_001) + `"`), `{"stdin":["String must contain at most 100000 character(s)"]}`},
		{"time as text", with(`"timeoutMs":"3000"`), `{"timeoutMs":["Expected number, received string"]}`},
		{"time null", with(`"timeoutMs":null`), `{"timeoutMs":["Expected number, received null"]}`},
		{"time with a fraction", with(`"timeoutMs":3000.5`), `{"timeoutMs":["Expected integer, received float"]}`},
		{"two messages", with(`"timeoutMs":20000.5`),
			`{"timeoutMs":["Expected integer, received float","Number must be less than or equal to 15000"]}`},
		{"time beyond all numbers", with(`"timeoutMs":1e999`),
			`{"timeoutMs":["Expected integer, received float","Number must be less than or equal to 15000"]}`},
		{"time too short", with(`"timeoutMs":99`), `{"timeoutMs":["Number must be greater than or equal to 100"]}`},
		{"time too long", with(`"timeoutMs":15001`), `{"timeoutMs":["Number must be less than or equal to 15000"]}`},
		{"memory too small", with(`"memoryMb":63`), `{"memoryMb":["Number must be greater than or equal to 64"]}`},
		{"memory too large", with(`"memoryMb":513`), `{"memoryMb":["Number must be less than or equal to 512"]}`},
		{"cpu too small", with(`"cpuMillicores":127`), `{"cpuMillicores":["Number must be greater than or equal to 128"]}`},
		{"cpu too large", with(`"cpuMillicores":1025`), `{"cpuMillicores":["Number must be less than or equal to 1024"]}`},
		{"cpu true", with(`"cpuMillicores":true`), `{"cpuMillicores":["Expected number, received boolean"]}`},
		{"less memory than the language needs", `{"language":"java","sourceCode":"x","memoryMb":64}`,
			`{"memoryMb":["Number must be greater than or equal to 96"]}`},
		{"the last of two counts", `{"language":"python","language":"x","sourceCode":"x"}`,
			`{"language":["Invalid enum value. Expected ` + languageEnum + `, received 'x'"]}`},

		{"stdin twice", with(`"stdin":"a","stdinBase64":"YQ=="`), `{"stdinBase64":["Give stdin or stdinBase64, not both"]}`},
		{"bad base64", with(`"stdinBase64":"YQ"`), `{"stdinBase64":["Invalid base64"]}`},
		{"a limit in two places", with(`"timeoutMs":3000,"run":{"timeoutMs":3000}`), `{"timeoutMs":["Give it here or in run, not both"]}`},
		{"run of another kind", with(`"run":[]`), `{"run":["Expected object, received array"]}`},
		{"unknown limits", with(`"run":{"timeout":1,"cpus":2}`), `{"run":["Unrecognized key(s) in object: 'cpus', 'timeout'"]}`},
		{"beyond the maximum", with(`"run":{"timeoutMs":60001,"memoryMb":2049,"pids":1025}`),
			`{"run":["timeoutMs: Number must be less than or equal to 60000","memoryMb: Number must be less than or equal to 2048",
			"pids: Number must be less than or equal to 1024"]}`},
		{"no limit is zero", with(`"compile":{"cpuMs":0}`), `{"compile":["cpuMs: Number must be greater than or equal to 1"]}`},
		{"negative", with(`"compile":{"openFiles":-1}`), `{"compile":["openFiles: Number must be greater than or equal to 16"]}`},
		{"a tail of more than is kept", with(`"run":{"outputBytes":100,"outputTailBytes":101}`),
			`{"run":["outputTailBytes: Number must be less than or equal to 100"]}`},
		{"interleave of another kind", with(`"interleave":1`), `{"interleave":["Expected boolean, received number"]}`},
		{"a network of another kind", with(`"network":true`), `{"network":["Expected string, received boolean"]}`},
		{"a network that no job has", with(`"network":"host"`), `{"network":["Invalid enum value. Expected 'none' | 'loopback', received 'host'"]}`},
		{"a limit as text", with(`"compile":{"openFiles":"1"}`), `{"compile":["openFiles: Expected number, received string"]}`},

		{"no tests", with(`"tests":[]`), `{"tests":["has 0 tests, 1 to 100 are allowed"]}`},
		{"tests of another kind", with(`"tests":{}`), `{"tests":["Expected array, received object"]}`},
		{"too many tests", with(`"tests":[` + strings.TrimSuffix(strings.Repeat("{},", 101), ",") + `]`), `{"tests":["Array must contain at most 100 element(s)"]}`},
		{"a test's members", with(`"tests":[{},1,{"name":1,"args":[2],"exitCode":256,"stdinBase64":"x","expectedOutput":"a","expectedOutputBase64":"YQ==","run":{"timeoutMs":0,"x":1},"more":1}]`),
			`{"tests":["[1]: Expected object, received number","[2]: Unrecognized key(s) in object: 'more'","[2].stdinBase64: Invalid base64","[2].args: [0]: Expected string, received number",
			"[2].run.timeoutMs: Number must be greater than or equal to 1","[2].run: Unrecognized key(s) in object: 'x'","[2].name: Expected string, received number","[2].exitCode: Number must be less than or equal to 255",
			"[2].expectedOutputBase64: Give expectedOutput or expectedOutputBase64, not both"]}`},
		{"tests that take too long", with(`"timeoutMs":15000,"tests":[` + strings.TrimSuffix(strings.Repeat("{},", 41), ",") + `]`),
			`{"tests":["may take 615000 ms together by their time limits, at most 600000 are allowed: lower the limits or use several jobs"]}`},
		{"tests and stdin", with(`"stdin":"x","tests":[{}]`), `{"stdin":["can't be had together with tests: each has its own"]}`},
		{"tests and output files", with(`"outputFiles":["x"],"tests":[{}]`), `{"outputFiles":["can't be had together with tests"]}`},
		{"a checker without tests", with(`"checker":{"language":"python"},"compare":{},"stopOnFailure":true`),
			`{"checker":["Give it together with tests"],"compare":["Give it together with tests"],"stopOnFailure":["Give it together with tests"]}`},
		{"a comparison", with(`"tests":[{}],"compare":{"mode":"fuzzy","absTolerance":-1,"relTolerance":"x","y":1}`),
			`{"compare":["Unrecognized key(s) in object: 'y'","mode: Invalid enum value. Expected 'exact' | 'trimmed' | 'tokens' | 'floats', received 'fuzzy'","absTolerance: Number must be greater than or equal to 0",
			"relTolerance: Expected number, received string"]}`},
		{"a tolerance for words", with(`"tests":[{}],"compare":{"mode":"tokens","absTolerance":1}`), `{"compare":["has a tolerance, which only the mode floats can use"]}`},
		{"a checker", with(`"tests":[{}],"checker":{"language":"x","files":[{"name":"a","content":1}],"run":{"pids":0}}`),
			`{"checker":["language: Invalid enum value. Expected ` + languageEnum + `, received 'x'","files[0].content: Expected string, received number","sourceCode: Required","run.pids: Number must be greater than or equal to 1"]}`},
		{"a checker's file in the way", with(`"tests":[{}],"checker":{"language":"python","sourceCode":"x","files":[{"name":"test/x","content":""}]}`),
			`{"checker":["has the file \"test/x\": in the directory test are the files that it judges"]}`},

		{"files of another kind", with(`"files":{}`), `{"files":["Expected array, received object"]}`},
		{"too many files", with(`"files":[` + strings.TrimSuffix(strings.Repeat("1,", 65), ",") + `]`),
			`{"files":["Array must contain at most 64 element(s)"]}`},
		{"a file of another kind", with(`"files":["a"]`), `{"files":["[0]: Expected object, received string"]}`},
		{"a file without members", with(`"files":[{}]`), `{"files":["[0].name: Required","[0].content: Required"]}`},
		{"a file with unknown ones", with(`"files":[{"name":"a","content":"","mode":1}]`),
			`{"files":["[0]: Unrecognized key(s) in object: 'mode'"]}`},
		{"a file with two contents", with(`"files":[{"name":"a","content":"","contentBase64":""}]`),
			`{"files":["[0].contentBase64: Give content or contentBase64, not both"]}`},
		{"a file with bad base64", with(`"files":[{"name":"a","contentBase64":"?"}]`), `{"files":["[0].contentBase64: Invalid base64"]}`},
		{"a file that climbs out", with(`"files":[{"name":"../a","content":""}]`),
			`{"files":["has the name \"../a\": it must not climb out of the working directory or contain empty, . or .. elements"]}`},
		{"an absolute file", with(`"files":[{"name":"/etc/passwd","content":""}]`),
			`{"files":["has the name \"/etc/passwd\": it must be relative"]}`},
		{"a file twice", with(`"files":[{"name":"a","content":""},{"name":"a","content":""}]`), `{"files":["names \"a\" twice"]}`},
		{"a file where the source goes", with(`"files":[{"name":"main.py","content":""}]`),
			`{"files":["main.py is the file that sourceCode is written to: give one of the two"]}`},
		{"a file below the source", with(`"files":[{"name":"main.py/x/y","content":""}]`),
			`{"files":["main.py is the file that sourceCode is written to, so it can't be the directory of \"main.py/x/y\""]}`},
		{"a file as a directory", with(`"files":[{"name":"a","content":""},{"name":"a/b","content":""}]`),
			`{"files":["names \"a\" both as a file and as the directory of \"a/b\""]}`},
		{"a source file of another language", `{"language":"python","files":[{"name":"main.js","content":""}]}`,
			`{"sourceCode":["Required"]}`},
		{"arguments of another kind", with(`"args":["a",1,null]`),
			`{"args":["[1]: Expected string, received number","[2]: Expected string, received null"]}`},
		{"an argument with NUL", with(`"args":["a\u0000"]`), `{"args":["must not contain NUL"]}`},
		{"a glob of another kind", with(`"outputFiles":["*",1]`), `{"outputFiles":["[1]: Expected string, received number"]}`},
		{"too many globs", with(`"outputFiles":[` + strings.TrimSuffix(strings.Repeat(`"*",`, 17), ",") + `]`),
			`{"outputFiles":["Array must contain at most 16 element(s)"]}`},
		{"a glob that climbs out", with(`"outputFiles":["../*"]`),
			`{"outputFiles":["has the glob \"../*\": it must not climb out of the working directory or contain empty, . or .. elements"]}`},
		{"a glob of another style", with(`"outputFiles":["a?.{txt,log}"]`),
			`{"outputFiles":["has the glob \"a?.{txt,log}\": of ? [ ] { } there is no use: only * and ** are special"]}`},
		{"more files than there may be", with(`"run":{"outputFilesMax":257}`), `{"run":["outputFilesMax: Number must be less than or equal to 256"]}`},
		{"a variable of another kind", with(`"env":{"A":1}`), `{"env":["A: Expected string, received number"]}`},
		{"a variable with a bad name", with(`"env":{"1A":""}`),
			`{"env":["has the name \"1A\": use A-Z a-z 0-9 _, not starting with a digit"]}`},
		{"a bad priority", with(`"priority":"urgent"`),
			`{"priority":["Invalid enum value. Expected 'low' | 'normal' | 'high', received 'urgent'"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.post("/v1/jobs", tt.body)
			a.want(t, 400, `{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":[],"fieldErrors":`+tt.want+`}}`)
			if a.header.Get("x-ratelimit-limit") == "" {
				t.Error("no rate headers on a 400 behind authentication")
			}
		})
	}
}

func TestSubmitBodyIsNoObject(t *testing.T) {
	s := newStack(t, nil)
	for _, tt := range []struct {
		name, body string
		header     http.Header
		want       string
	}{
		{"array", `[1]`, nil, "Expected object, received array"},
		{"string", `"x"`, nil, "Expected object, received string"},
		{"number", `7`, nil, "Expected object, received number"},
		{"boolean", `false`, nil, "Expected object, received boolean"},
		{"text", helloPython, http.Header{"Content-Type": {"text/plain"}}, "Expected object, received string"},
		{"no text", "", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}, "Expected object, received string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.do("POST", "/v1/jobs", tt.body, tt.header).want(t, 400,
				`{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":["`+tt.want+`"],"fieldErrors":{}}}`)
		})
	}
	s.do("POST", "/v1/jobs", "", nil).want(t, 400, `{"error":"validation_error","traceId":"test-trace",
		"issues":{"formErrors":[],"fieldErrors":{"language":["Required"],"sourceCode":["Required"]}}}`)
}

// Multi-byte text can have too many bytes though not too many characters.
func TestSubmitTooManyBytes(t *testing.T) {
	s := newStack(t, nil)
	wide := strings.Repeat("é", 50_001)
	tooLarge := func(field string) string {
		return `{"error":"payload_too_large","traceId":"test-trace","reason":"request_size_exceeded","field":"` + field + `","bytes":100002,"maxBytes":100000}`
	}
	s.post("/v1/jobs", `{"language":"python","sourceCode":"`+wide+`","stdin":"`+wide+`"}`).want(t, 413, tooLarge("sourceCode"))
	s.post("/v1/jobs", `{"language":"python","sourceCode":"x","stdin":"`+wide+`"}`).want(t, 413, tooLarge("stdin"))
	fits := strings.Repeat("é", 50_000)
	if a := s.post("/v1/jobs", `{"language":"python","sourceCode":"`+fits+`","stdin":"`+fits+`"}`); a.status != 202 {
		t.Errorf("100,000 bytes: %d %s, want 202", a.status, a.raw)
	}
}

// What is accepted reaches the worker as it was sent.
func TestSubmitReachesTheWorker(t *testing.T) {
	s := newStack(t, nil)
	base := func(change func(*job.Spec)) job.Spec {
		spec := job.Spec{Tenant: s.tenant, Attempt: 1, Language: "python", Source: "print('hello')"}
		change(&spec)
		return spec
	}
	for _, tt := range []struct {
		name, body string
		want       job.Spec
		request    string
	}{
		{"the least", helloPython, base(func(*job.Spec) {}), `{"timeoutMs":3000,"memoryMb":128,"cpuMillicores":256}`},
		{"unknown fields are ignored", `{"language":"python","sourceCode":"print('hello')","foo":{"bar":1}}`,
			base(func(*job.Spec) {}), `{"timeoutMs":3000,"memoryMb":128,"cpuMillicores":256}`},
		{"an alias", `{"language":"py","sourceCode":"print('hello')"}`,
			base(func(*job.Spec) {}), `{"timeoutMs":3000,"memoryMb":128,"cpuMillicores":256}`},
		{"the language's own defaults show", `{"language":"java","sourceCode":"class Main {}"}`,
			base(func(sp *job.Spec) { sp.Language, sp.Source = "java", "class Main {}" }),
			`{"timeoutMs":3000,"memoryMb":256,"cpuMillicores":256}`},
		{"the contract's limits", `{"language":"python","sourceCode":"print('hello')","stdin":"in\n","timeoutMs":1e3,"memoryMb":64.0,"cpuMillicores":1024}`,
			base(func(sp *job.Spec) {
				sp.Stdin = []byte("in\n")
				sp.Run = job.Limits{WallMs: 1000, MemoryBytes: 64 * job.MiB, CPUMillicores: 1024}
			}), `{"timeoutMs":1000,"memoryMb":64,"cpuMillicores":1024}`},
		{"everything", `{"language":"python","files":[{"name":"main.py","content":"import m"},
			{"name":"lib/m.py","contentBase64":"AP8=","executable":true}],"args":["-v",""],"env":{"A":"1"},"stdinBase64":"AAE=",
			"priority":"high","outputFiles":["out/**","*.txt"],"compile":{"timeoutMs":20000},
			"run":{"timeoutMs":60000,"cpuMs":1,"memoryMb":2048,"cpuMillicores":10,"pids":2,"fileSizeBytes":3,"openFiles":16,"stackBytes":262149,
			"tmpBytes":4102,"tmpInodes":7,"workspaceBytes":4104,"workspaceInodes":9,"outputBytes":10,"floodBytes":11,
			"outputTailBytes":9,"outputFilesMax":12,"outputFileBytes":13,"outputFilesBytes":14},"interleave":true,"network":"none"}`,
			base(func(sp *job.Spec) {
				sp.Source = ""
				sp.Files = []job.File{{Name: "main.py", Data: []byte("import m")}, {Name: "lib/m.py", Data: []byte{0, 255}, Exec: true}}
				sp.Args, sp.Env, sp.Stdin = []string{"-v", ""}, map[string]string{"A": "1"}, []byte{0, 1}
				sp.Compile = job.Limits{WallMs: 20_000}
				sp.Run = job.Limits{WallMs: 60_000, CPUMs: 1, MemoryBytes: 2048 * job.MiB, CPUMillicores: 10, PidsMax: 2, FileSizeBytes: 3,
					OpenFiles: 16, StackBytes: 262149, TmpBytes: 4102, TmpInodes: 7, WorkspaceBytes: 4104, WorkspaceInodes: 9, OutputBytes: 10, FloodBytes: 11,
					OutputFilesMax: 12, OutputFileBytes: 13, OutputFilesBytes: 14, OutputTailBytes: 9}
				sp.OutputFiles = []string{"out/**", "*.txt"}
				sp.Interleave, sp.Network = true, job.NetworkNone
			}), `{"timeoutMs":60000,"memoryMb":2048,"cpuMillicores":10}`},
		{"tests", `{"language":"python","sourceCode":"print('hello')","args":["a"],"tests":[{"name":"one","stdin":"in","args":["b"],"expectedOutput":"","exitCode":2,
			"run":{"timeoutMs":5}},{"stdinBase64":"/w==","expectedOutputBase64":"/w=="},{}],"compare":{"mode":"floats","absTolerance":1e-3,"relTolerance":0.5},
			"checker":{"language":"py","sourceCode":"y","files":[{"name":"a/b","content":"z"}],"run":{"memoryMb":100}},"stopOnFailure":true}`,
			base(func(sp *job.Spec) {
				none, byte255 := []byte{}, []byte{255}
				sp.Args = []string{"a"}
				sp.Tests = &job.Tests{
					List: []job.Test{{Name: "one", Stdin: []byte("in"), Args: []string{"b"}, Expected: &none, ExitCode: 2, Run: job.Limits{WallMs: 5}},
						{Stdin: byte255, Expected: &byte255}, {}},
					Compare: job.Compare{Mode: job.Floats, AbsTolerance: 1e-3, RelTolerance: 0.5}, StopOnFailure: true,
					Checker: &job.Checker{Language: "python", Source: "y", Files: []job.File{{Name: "a/b", Data: []byte("z")}}, Run: job.Limits{MemoryBytes: 100 * job.MiB}},
				}
			}), `{"timeoutMs":3000,"memoryMb":128,"cpuMillicores":256}`},
		{"the longest source", `{"language":"python","sourceCode":"` + strings.Repeat("x", 100_000) + `"}`,
			base(func(sp *job.Spec) { sp.Source = strings.Repeat("x", 100_000) }), `{"timeoutMs":3000,"memoryMb":128,"cpuMillicores":256}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := s.submit(tt.body)
			tt.want.ID = id
			lease := claim(t, s.queue)
			if diff := cmp.Diff(tt.want, lease.Job, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			got, _ := json.Marshal(s.get("/v1/jobs/" + id).at("request"))
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.request), &want); err != nil {
				t.Fatal(err)
			}
			wanted, _ := json.Marshal(want)
			if string(got) != string(wanted) {
				t.Errorf("request %s, want %s", got, wanted)
			}
			if err := complete(lease, exited(0, "")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSubmitAccepted(t *testing.T) {
	s := newStack(t, nil)
	for _, target := range []string{"/v1/jobs", "/executions"} {
		a := s.post(target, helloPython)
		id, _ := a.body["jobId"].(string)
		if !uuidV4.MatchString(id) {
			t.Errorf("jobId %q is no UUID v4", id)
		}
		a.want(t, 202, `{"jobId":"`+id+`","executionId":"`+id+`","traceId":"test-trace","status":"queued",
			"statusUrl":"/v1/jobs/`+id+`","executionUrl":"/executions/`+id+`"}`)
		if got := a.header.Get("content-type"); got != "application/json; charset=utf-8" {
			t.Errorf("content-type %q", got)
		}
	}
}
