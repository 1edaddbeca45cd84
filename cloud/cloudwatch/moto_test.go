// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/ecsedge"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// skip skips the test for want of what script/deps --tests installs.
func skip(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatalf("%v: script/deps --tests", err)
	}
	t.Skipf("%v: script/deps --tests", err)
}

// What is published is what AWS's own command line reads back, from a server that neither we nor AWS wrote.
func TestMoto(t *testing.T) {
	aws, err := exec.LookPath("aws")
	if err != nil {
		skip(t, err)
	}
	moto, err := ecsedge.StartMoto(patience.Context(t))
	if err != nil {
		skip(t, err)
	}
	t.Cleanup(moto.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": moto.URL.String(), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
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
