// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// requireTool skips the test where a program is missing that script/deps --tests installs.
func requireTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("SANDBOX_MUST_WORK") == "1":
		t.Fatalf("%s is not installed: script/deps --tests", name)
	default:
		t.Skipf("%s is not installed: script/deps --tests", name)
	}
	return path
}

// startMoto starts moto's server, an implementation of AWS's services that is not ours, and returns its address.
func startMoto(t *testing.T) string {
	t.Helper()
	program := requireTool(t, "moto_server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	var out bytes.Buffer
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", port)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 5*time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	patience.Until(t, "moto_server answers", func() (bool, string) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("moto_server ended: %v\n%s", err, &out)
		default:
		}
		resp, err := (&http.Client{Timeout: time.Second}).Get("http://" + addr + "/moto-api/")
		if err != nil {
			return false, err.Error()
		}
		return resp.Body.Close() == nil, resp.Status
	})
	return "http://" + addr
}

// What is published is what AWS's own command line reads back, from a server that neither we nor AWS wrote.
func TestMoto(t *testing.T) {
	aws := requireTool(t, "aws")
	url := startMoto(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	log := new(bytes.Buffer)
	p := newPublisher(t, &source{pending: 7, last: -1}, log)
	p.round(t.Context())
	for metric, want := range map[string]float64{"PendingJobsCount": 7, "PendingJobsScaleSignal": 26, "BacklogPerWorker": 7} {
		now := time.Now().UTC()
		out, err := exec.CommandContext(patience.Context(t), aws, "--region", "eu-central-1", "--output", "json",
			"cloudwatch", "get-metric-statistics", "--namespace", "CCEE", "--metric-name", metric,
			"--statistics", "Maximum", "SampleCount", "--period", "60",
			"--dimensions", "Name=QueueName,Value=code-jobs", "Name=Service,Value=ccee-worker",
			"--start-time", now.Add(-5*time.Minute).Format(time.RFC3339),
			"--end-time", now.Add(5*time.Minute).Format(time.RFC3339)).CombinedOutput()
		if err != nil {
			t.Fatalf("aws: %v\n%s%s", err, out, log)
		}
		var got struct {
			Datapoints []struct {
				Maximum, SampleCount float64
				Unit                 string
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if p := got.Datapoints; len(p) != 1 || p[0].Maximum != want || p[0].SampleCount != 1 || p[0].Unit != "Count" {
			t.Errorf("%s: %+v, want one point of %v\n%s", metric, got.Datapoints, want, log)
		}
	}
}
