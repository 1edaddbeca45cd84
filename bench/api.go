// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The load of the api part: the arguments of wrk, and the number of tenants.
const (
	apiTenants     = 200
	apiConnections = 32
	apiSeconds     = 8
	apiListen      = "127.0.0.1:18091"
)

// tenantKey is the API key of a tenant.
func tenantKey(i int) string { return fmt.Sprintf("bench-key-%03d-0123456789abcdef", i) }

// stand is an api on a Redis of its own, with authentication, limits, quotas and audit on, and no worker.
type stand struct {
	redis, api *running
	queue      *queue.Queue
}

func newStand(ctx context.Context, dir, binary string, opts queue.Options, env ...string) (*stand, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	// As ccee up runs it.
	redis, err := start("redis-server", filepath.Join(dir, "redis.log"), nil, "--port", "0", "--unixsocket", filepath.Join(dir, "redis.sock"), "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-min-size", "256mb", "--save", "")
	if err != nil {
		return nil, err
	}
	url := "unix://" + filepath.Join(dir, "redis.sock")
	api, err := start(binary, filepath.Join(dir, "api.log"), append([]string{"REDIS_URL=" + url, "TENANT_API_KEYS_JSON=" + tenantsJSON(),
		"RATE_LIMIT_REQUESTS_PER_MINUTE=100000", "SUBMIT_RATE_LIMIT_PER_MINUTE=100000"}, env...), "api", "--listen", apiListen)
	if err != nil {
		redis.stop()
		return nil, err
	}
	s := &stand{redis: redis, api: api}
	if s.queue, err = queue.Open(url, opts); err != nil {
		s.stop()
		return nil, err
	}
	lang := job.Language{Name: "python", SourceFile: "main.py", Run: []string{"/usr/bin/python3", "{source}"}}
	err = until(ctx, func() error { return s.queue.PublishRuntimes(ctx, "bench", []job.Language{lang}, time.Hour) })
	if err == nil {
		err = until(ctx, func() error { return newREST("http://" + apiListen).ready(ctx) })
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *stand) stop() {
	if s.queue != nil {
		s.queue.Close()
	}
	s.api.stop()
	s.redis.stop()
}

// api times the REST API alone: submissions, then reads of jobs. No worker takes the jobs, so what is timed is the api and Redis.
func api(ctx context.Context, dir, binary string) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		fmt.Println("without wrk, which is not installed: make test-deps")
		return nil
	}
	own := filepath.Join(dir, "api")
	s, err := newStand(ctx, own, binary, queue.Options{})
	if err != nil {
		return err
	}
	defer s.stop()
	if err := wrk(ctx, own, "POST /v1/jobs", postScript()); err != nil {
		return err
	}
	script, err := getScript(ctx, s.queue)
	if err != nil {
		return err
	}
	return wrk(ctx, own, "GET /v1/jobs/:jobId", script)
}

func tenantsJSON() string {
	keys := map[string]any{}
	for i := range apiTenants {
		keys[tenantKey(i)] = map[string]any{"tenantId": fmt.Sprintf("bench-%03d", i), "maxConcurrentJobs": 1000, "maxDailyJobs": 1_000_000, "maxStoredBytes": 1 << 36}
	}
	b, _ := json.Marshal(keys) // strings and numbers
	return string(b)
}

// postScript has wrk submit a small job for one tenant after the other.
func postScript() string {
	return fmt.Sprintf(`local keys, n = {}, 0
for i = 0, %d do keys[i] = string.format("bench-key-%%03d-0123456789abcdef", i) end
local body = '{"language":"python","sourceCode":"print(sum(map(int, input().split())))","stdin":"1 2 3","timeoutMs":2000}'
function request()
  n = n + 1
  return wrk.format("POST", "/v1/jobs", { ["x-api-key"] = keys[n %% %d], ["content-type"] = "application/json" }, body)
end
`, apiTenants-1, apiTenants)
}

// getScript has wrk read jobs of all tenants.
func getScript(ctx context.Context, q *queue.Queue) (string, error) {
	var b strings.Builder
	b.WriteString("local r, n = {}, 0\nfunction init(args)\n")
	n := 0
	for i := range apiTenants {
		p, err := q.History(ctx, fmt.Sprintf("bench-%03d", i), queue.HistoryQuery{Limit: 5})
		if err != nil {
			return "", err
		}
		for _, j := range p.Jobs {
			fmt.Fprintf(&b, "r[%d] = wrk.format('GET', '/v1/jobs/%s', { ['x-api-key'] = '%s' })\n", n, j.ID, tenantKey(i))
			n++
		}
	}
	fmt.Fprintf(&b, "end\nfunction request() n = n + 1; return r[n %% %d] end\n", n)
	return b.String(), nil
}

var (
	wrkRate    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkLatency = regexp.MustCompile(`(50|99)%\s+(\S+)`)
	wrkRefused = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// wrk runs one load and prints the result. A refusal is a fault of the benchmark.
func wrk(ctx context.Context, dir, what, script string) error {
	file := filepath.Join(dir, "load.lua")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", apiConnections), fmt.Sprintf("-d%ds", apiSeconds), "--latency", "-s", file,
		"http://"+apiListen).CombinedOutput()
	rate := wrkRate.FindSubmatch(out)
	if err != nil || rate == nil || wrkRefused.Match(out) {
		return fmt.Errorf("wrk %s: %v\n%s", what, err, out)
	}
	perSecond, err := strconv.ParseFloat(string(rate[1]), 64)
	if err != nil {
		return err
	}
	latency := map[string]string{}
	for _, m := range wrkLatency.FindAllStringSubmatch(string(out), -1) {
		latency[m[1]] = m[2]
	}
	results = append(results, result{What: fmt.Sprintf("%d connections", apiConnections), Contender: what, PerSecond: perSecond})
	fmt.Printf("\n%s, %d connections, %d tenants: %.0f/s, p50 %s, p99 %s\n", what, apiConnections, apiTenants, perSecond, latency["50"], latency["99"])
	return nil
}
