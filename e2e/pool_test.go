// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// cable joins two network namespaces: near has the worker, far the daemons.
type cable struct{ near, far string }

// newCable makes both, with the addresses 10.78.0.1 and 10.78.0.2.
func newCable(t *testing.T) cable {
	t.Helper()
	c := cable{fmt.Sprintf("ccee-near-%d", os.Getpid()), fmt.Sprintf("ccee-far-%d", os.Getpid())}
	for _, ns := range []string{c.near, c.far} {
		ip(t, "netns add "+ns)
		t.Cleanup(func() { ip(t, "netns del "+ns) })
	}
	ip(t, "link add cable netns "+c.near+" type veth peer name cable netns "+c.far)
	for ns, address := range map[string]string{c.near: "10.78.0.1/24", c.far: "10.78.0.2/24"} {
		ip(t, "-n "+ns+" addr add "+address+" dev cable")
		ip(t, "-n "+ns+" link set cable up")
		ip(t, "-n "+ns+" link set lo up")
	}
	return c
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// start starts a part in a namespace. Its log goes to a file, which can be read while it runs.
func (c cable) start(t *testing.T, ns, log string, env []string, args ...string) *part {
	t.Helper()
	p := startPart(t, env, "sh", append([]string{"-c", `exec nsenter "$@" 2>>"$0"`, log, "--net=/run/netns/" + ns, binary}, args...)...)
	p.name = args[0] + " in " + ns
	t.Cleanup(func() {
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("the log of %s:\n%s", p.name, text)
		}
	})
	return p
}

// issue writes a certificate for the name dns:NAME to dir.
func issue(t *testing.T, a *cert.Authority, dir, name string, role cert.Role) {
	t.Helper()
	p, err := a.Issue(cert.Request{Name: name, Names: []cert.Name{cert.Name("dns:" + name)}, Role: role, Now: time.Now(), Valid: time.Hour})
	if err == nil {
		err = p.Write(dir, name, false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPoolOutages: a worker and two daemons on two hosts. A daemon is killed, then the cable is cut for longer than a connection lives,
// while jobs run. No job is lost, and each has one result.
func TestPoolOutages(t *testing.T) {
	requireHost(t)
	c, dir := newCable(t), t.TempDir()
	a, err := cert.NewAuthority("e2e", time.Now(), 24*time.Hour)
	if err == nil {
		err = a.Pair().Write(dir, cert.AuthorityName, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	issue(t, a, dir, "daemon", cert.Daemon)
	issue(t, a, dir, "worker", cert.Worker)
	tls := func(name string) []string {
		return []string{"CCEE_TLS_CA=" + filepath.Join(dir, "ca.crt"), "CCEE_TLS_CERT=" + filepath.Join(dir, name+".crt"),
			"CCEE_TLS_KEY=" + filepath.Join(dir, name+".key")}
	}
	daemon := func(n int) *part {
		env := append(tls("daemon"), "CCEE_IMAGES="+images(), "CCEE_ALLOW=dns:worker")
		return c.start(t, c.far, filepath.Join(dir, fmt.Sprint("log", n)), env, "daemon",
			"--cgroup", cgroupName(fmt.Sprint("pool", n)), "--socket", filepath.Join(dir, fmt.Sprint("d", n)),
			"--listen", fmt.Sprint("10.78.0.2:844", n), "--slots", "4")
	}
	redis := redistest.New(t)
	first := daemon(1)
	daemon(2)
	log := filepath.Join(dir, "log")
	c.start(t, c.near, log, append(tls("worker"), "REDIS_URL="+redis.URL(), "EXECUTION_BACKEND=pool", "CCEE_TLS_NAME=daemon",
		"CCEE_DAEMONS=10.78.0.2:8441,10.78.0.2:8442", "QUEUE_RETRY_BACKOFF_MS=100"), "worker", "--concurrency", "8")

	q, err := queue.Open(redis.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	var ids []string
	for i := range 60 {
		ids = append(ids, submit(t, q, fmt.Sprintf("pool-%d", i)))
	}
	logged := func(what string) int {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), what)
	}
	ended := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " jobs end"), patience.Long(), func() (bool, string) {
			got := logged(`"status":"succeeded"`)
			return got >= n, fmt.Sprint(got, " have ended")
		})
	}
	ended(4)
	first.kill(t)
	ended(12)
	daemon(1)
	ended(20)
	ip(t, "-n "+c.far+" link set cable down")
	eventually(t, "the jobs that ran are given up", patience.Long(), func() (bool, string) {
		return logged(`"status":"retrying"`) > 0, ""
	})
	ip(t, "-n "+c.far+" link set cable up")
	for _, id := range ids {
		r, err := q.Wait(patience.Context(t), "e2e", id)
		if err != nil || r.Status != queue.Succeeded || r.Result == nil || string(r.Result.Last().Stdout.Data) != id+"\n" {
			t.Errorf("%s: %s, %v, %s", id, r.Status, err, r.Error)
		}
	}
	eventually(t, "each job has one result", patience.Long(), func() (bool, string) {
		got := logged(`"status":"succeeded"`)
		return got == len(ids), fmt.Sprint(got)
	})
	if u, err := q.Usage(t.Context(), "e2e"); err != nil || u.ActiveJobs != 0 {
		t.Errorf("usage = %+v, %v, want no active jobs", u, err)
	}
}

// submit queues a job that takes a second and prints its id.
func submit(t *testing.T, q *queue.Queue, id string) string {
	t.Helper()
	_, err := q.Submit(t.Context(), queue.Submission{
		Spec: job.Spec{ID: id, Tenant: "e2e", Language: "python", Source: "import time; time.sleep(1); print('" + id + "')",
			Run: job.Limits{WallMs: 20_000}},
		Request: queue.Request{TimeoutMs: 20_000, MemoryMb: 128, CPUMillicores: 256}, MaxConcurrent: 1000, MaxDaily: 1000, MaxAttempts: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
