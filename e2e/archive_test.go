// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// postgres is a PostgreSQL of one test, on a unix socket.
type postgres struct {
	bin, dir string
	as       *syscall.SysProcAttr
	cmd      *exec.Cmd
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	requireHost(t)
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	u, err := user.Lookup("postgres")
	switch {
	case len(found) > 0 && err == nil:
	case os.Getenv("SANDBOX_MUST_WORK") == "1":
		t.Fatal("PostgreSQL is not installed: make test-deps")
	default:
		t.Skip("PostgreSQL is not installed: make test-deps")
	}
	dir, err := os.MkdirTemp("", "e2e-postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the api must get to the socket
		t.Fatal(err)
	}
	p := &postgres{bin: filepath.Dir(slices.Max(found)), dir: dir, as: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}}
	if out, err := p.command("initdb", "-D", dir+"/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.start(t)
	t.Cleanup(p.kill)
	return p
}

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = p.as, p.dir
	return cmd
}

func (p *postgres) url() string { return "postgres://tester@/postgres?host=" + p.dir }

func (p *postgres) start(t *testing.T) {
	t.Helper()
	p.cmd = p.command("postgres", "-D", p.dir+"/data", "-k", p.dir, "-c", "listen_addresses=", "-c", "fsync=off")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "postgres answers", upWithin, func() (bool, string) {
		out, err := p.command("pg_isready", "-h", p.dir, "-U", "tester").CombinedOutput()
		return err == nil, string(out)
	})
}

func (p *postgres) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// jobs returns how many jobs of the tenant the archive has.
func (p *postgres) jobs(t *testing.T) string {
	t.Helper()
	out, err := p.command("psql", "-h", p.dir, "-U", "tester", "-d", "postgres", "-Atc", "SELECT count(*) FROM ccee_jobs WHERE tenant = 'e2e'").Output()
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(out))
}

// TestArchive: jobs that Redis has deleted are read through the same routes, and a database that dies loses no job and delays nobody.
func TestArchive(t *testing.T) {
	p := newPostgres(t)
	s := ownStack(t, "ARCHIVE_DATABASE_URL="+p.url())
	forget := func() {
		t.Helper()
		script := "for _, k in ipairs(redis.call('KEYS', '*')) do if k:find('^job:') or k:find(':job_history$') or k:find(':audit$') or k:find(':daily_cost:') then redis.call('DEL', k) end end"
		if out, err := exec.Command("redis-cli", "-s", filepath.Join(s.data(), "redis", "redis.sock"), "EVAL", script, "0").CombinedOutput(); err != nil {
			t.Fatalf("redis-cli: %v %s", err, out)
		}
	}
	get := func(want int, path string, as string) map[string]any {
		t.Helper()
		status, raw, err := s.request("GET", path, as, nil)
		var m map[string]any
		if err != nil || status != want || json.Unmarshal(raw, &m) != nil {
			t.Fatalf("GET %s: %d %s, %v; want %d", path, status, raw, err, want)
		}
		return m
	}
	old := s.run(t, python("print('old')"))
	eventually(t, "the job is archived", upWithin, func() (bool, string) { n := p.jobs(t); return n == "1", n })
	forget()
	fresh := s.run(t, python("print('new')"))

	if j, err := s.get(old.JobID, 0); err != nil || j.Result == nil || j.Result.Stdout != "old\n" {
		t.Errorf("the job: %+v, %v", j, err)
	}
	if m := get(200, "/executions/"+old.JobID+"/logs", key); m["logs"].(map[string]any)["stdout"] != "old\n" {
		t.Errorf("its logs: %v", m)
	}
	get(404, "/v1/jobs/"+old.JobID, "other-key")
	page := get(200, "/v1/jobs?limit=1&view=summary", key)
	if item := page["items"].([]any)[0].(map[string]any); item["jobId"] != fresh.JobID {
		t.Errorf("the first page: %v", page)
	}
	page = get(200, fmt.Sprintf("/v1/jobs?limit=1&cursor=%v", page["nextCursor"]), key)
	if items := page["items"].([]any); len(items) != 1 || items[0].(map[string]any)["jobId"] != old.JobID || page["nextCursor"] != nil {
		t.Errorf("the second page: %v", page)
	}
	if m := get(200, "/v1/costs?days=400", key); len(m["daily"].([]any)) != 400 {
		t.Errorf("costs of %d days", len(m["daily"].([]any)))
	}
	found := false
	for _, e := range get(200, "/v1/audit?limit=100", key)["events"].([]any) {
		ev := e.(map[string]any)
		found = found || ev["jobId"] == old.JobID && ev["action"] == "job_submitted"
	}
	if !found {
		t.Error("the audit does not tell of the job's submission")
	}
	for _, path := range []string{"/v1/jobs/" + old.JobID + "/analyze", "/v1/jobs/" + old.JobID + "/rerun"} {
		if status, raw, err := s.request("POST", path, key, nil); err != nil || status/100 != 2 {
			t.Errorf("POST %s: %d %s, %v", path, status, raw, err)
		}
	}
	if m := get(200, "/v1/jobs/"+old.JobID, key); m["analysis"] == nil {
		t.Errorf("no analysis is stored: %v", m)
	}
	if status, raw, _ := s.request("DELETE", "/v1/jobs/"+old.JobID, key, nil); status != http.StatusConflict {
		t.Errorf("cancel of an archived job: %d %s", status, raw)
	}

	p.kill()
	var kept []string
	for i := range 3 {
		kept = append(kept, s.run(t, python(fmt.Sprintf("print(%d)", i))).JobID)
	}
	if m := get(503, "/v1/jobs/"+old.JobID, key); m["reason"] != "archive_unreachable" {
		t.Errorf("an archived job without the archive: %v", m)
	}
	if m := get(200, "/v1/jobs", key); m["archiveUnavailable"] != true {
		t.Errorf("the history without the archive: %v", m)
	}
	eventually(t, "readiness says that the archive is away, and that jobs run", upWithin, func() (bool, string) {
		status, a, err := s.readiness("/ready")
		return err == nil && status == 200 && a.CanRun && strings.Contains(strings.Join(a.Warnings, ""), "the archive's database does not answer"), fmt.Sprintf("%d %+v %v", status, a, err)
	})
	p.start(t)
	eventually(t, "all is archived", upWithin, func() (bool, string) { n := p.jobs(t); return n == "6", n }) // old, fresh, the rerun, three
	forget()
	for i, id := range kept {
		eventually(t, "the archive is asked again", upWithin, func() (bool, string) {
			j, err := s.get(id, 0)
			return err == nil && j.Result != nil && j.Result.Stdout == fmt.Sprintln(i), fmt.Sprint(err)
		})
	}
	if status, raw, _ := s.request("DELETE", "/v1/jobs/"+old.JobID+"/data", key, nil); status != 200 {
		t.Errorf("delete: %d %s", status, raw)
	}
	get(404, "/v1/jobs/"+old.JobID, key)
	if got := ccee(t, "", []string{"ARCHIVE_DATABASE_URL=" + p.url()}, "audit", "verify", "--archive", "e2e"); got.code != 0 || !strings.Contains(got.stdout, "e2e: ok") {
		t.Errorf("audit verify --archive: %+v", got)
	}
}
