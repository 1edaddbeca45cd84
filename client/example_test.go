// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/ccee-dev/ccee/client"
)

// server stands for a CCEE server: it answers each path with the text that is given for it.
func server(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.Method+" "+r.URL.Path]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"error":"not_found","traceId":"trace-1"}`
		}
		fmt.Fprint(w, answer)
	}))
}

func Example() {
	srv := server(map[string]string{
		"POST /v1/jobs": `{"jobId":"job-1","status":"succeeded","result":{"verdict":"exited","exitCode":0,"stdout":"42\n","durationMs":16}}`,
	})
	defer srv.Close()

	c := client.New(srv.URL, "dev-local-key")
	job, err := c.Run(context.Background(), client.Submission{Language: "python", SourceCode: "print(6*7)"})
	if err != nil {
		log.Fatal(err) // no answer, or a refusal
	}
	fmt.Println(job.Status, job.Result.Verdict, *job.Result.ExitCode)
	fmt.Print(job.Result.Stdout)
	// Output:
	// succeeded exited 0
	// 42
}

func ExampleClient_Submit() {
	srv := server(map[string]string{
		"POST /v1/jobs":      `{"jobId":"job-1","status":"queued"}`,
		"GET /v1/jobs/job-1": `{"jobId":"job-1","status":"failed","result":{"verdict":"oom_killed"}}`,
	})
	defer srv.Close()

	ctx := context.Background()
	c := client.New(srv.URL, "dev-local-key")
	id, err := c.Submit(ctx, client.Submission{
		Language: "java", SourceCode: "class Main { ... }", Stdin: []byte("1 2 3\n"), MemoryMb: 256,
		More: map[string]any{"priority": "high", "run": map[string]any{"pids": 32}}, // the rest of the contract
	})
	if err != nil {
		log.Fatal(err)
	}
	job, err := c.Wait(ctx, id) // here or in another process
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.JobID, job.Status, job.Result.Verdict)
	// Output: job-1 failed oom_killed
}

func ExampleClient_Follow() {
	srv := server(map[string]string{"GET /v1/jobs/job-1/events": `event: stdout
id: 1.1.0.0.6.0.0
data: {"step":"run","attempt":1,"text":"first\n"}

event: stderr
id: 2.1.0.0.6.5.0
data: {"step":"run","attempt":1,"text":"oops\n"}

event: done
id: 3.1.0.0.6.5.0.done
data: {"status":"failed"}

`})
	defer srv.Close()

	c := client.New(srv.URL, "dev-local-key")
	status, err := c.Follow(context.Background(), "job-1", func(o client.Output) error {
		fmt.Printf("%s: %s", o.Stream, o.Data)
		return nil // an error would end Follow
	})
	fmt.Println(status, err)
	// Output:
	// stdout: first
	// stderr: oops
	// failed <nil>
}

func ExampleClient_History() {
	srv := server(map[string]string{
		"GET /v1/jobs": `{"items":[{"jobId":"job-2","status":"failed"},{"jobId":"job-1","status":"failed"}],"nextCursor":null}`,
	})
	defer srv.Close()

	c := client.New(srv.URL, "dev-local-key")
	for job, err := range c.History(context.Background(), client.HistoryQuery{Status: "failed"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.JobID, job.Status)
	}
	// Output:
	// job-2 failed
	// job-1 failed
}

func ExampleError() {
	srv := server(nil)
	defer srv.Close()

	c := client.New(srv.URL, "dev-local-key")
	_, err := c.Job(context.Background(), "job-1")
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Code, refused.TraceID)
	}
	// Output: 404 not_found trace-1
}
