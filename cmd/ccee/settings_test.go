// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/urfave/cli/v3"
)

// TestContractSettings: the variables of the contract have its defaults and ranges. Where ours differ, the reason stands there.
func TestContractSettings(t *testing.T) {
	const api, worker = "api", "worker"
	for _, tt := range []struct{ command, env, want string }{
		{api, "API_PORT", "8080 1-65535"},
		{api, "AUTH_MODE", "api_key"},
		{api, "JWT_JWKS_URL", ""},
		{api, "JWT_ISSUER", ""},
		{api, "JWT_AUDIENCE", ""},
		{api, "JWT_TENANT_CLAIM", "custom:tenant_id"},
		{api, "JWT_SUBJECT_CLAIM", "sub"},
		{api, "CORS_ALLOWED_ORIGINS", "http://localhost:8080,http://localhost:3000,http://localhost:5173"}, // not the original owner's sites
		{api, "RATE_LIMIT_REQUESTS_PER_MINUTE", "240 1-100000"},
		{api, "RATE_LIMIT_WINDOW_SECONDS", "60 10-3600"},
		{api, "SUBMIT_RATE_LIMIT_PER_MINUTE", "60 1-100000"},
		{api, "MAX_SOURCE_CODE_BYTES", "100000 1-1000000"},
		{api, "MAX_STDIN_BYTES", "100000 1-1000000"},
		{api, "JOB_QUEUE_NAME", "code-jobs"},
		{api, "DLQ_QUEUE_NAME", "code-jobs-dlq"},
		{api, "JOB_TTL_SECONDS", "86400 1-31536000"},
		{api, "JOB_HISTORY_MAX", "500 1-10000"},
		{api, "JOB_LIST_DEFAULT_LIMIT", "20 1-200"},
		{api, "JOB_LIST_MAX_LIMIT", "100 1-500"},
		{api, "AUDIT_STREAM_KEY", "audit:events"},
		{api, "DAILY_QUOTA_TTL_SECONDS", "172800 1-31536000"},
		{api, "QUEUE_JOB_ATTEMPTS", "3 1-10"},
		{api, "QUEUE_RETRY_BACKOFF_MS", "1000 1-60000"},
		{api, "ANALYSIS_MAX_SOURCE_CHARS", "8000 1-50000"},
		{api, "QUEUE_DEPTH_TARGET", "25 1-10000"},
		{api, "AWS_REGION", ""},                   // nothing is sent to a region that nobody chose
		{api, "QUEUE_DEPTH_METRIC_NAMESPACE", ""}, // not CCEE: setting it is what turns publishing on
		{api, "QUEUE_DEPTH_METRIC_NAME", "PendingJobsCount"},
		{api, "QUEUE_DEPTH_SCALE_METRIC_NAME", "PendingJobsScaleSignal"},
		{api, "QUEUE_DEPTH_METRIC_SERVICE_NAME", "ccee-worker"},
		{api, "QUEUE_DEPTH_PUBLISH_INTERVAL_MS", "30000 5000-300000"},
		{api, "ECS_CLUSTER_ARN", ""},
		{api, "DLQ_REPLAY_TASK_DEFINITION_ARN", ""},
		{api, "DLQ_REPLAY_SUBNET_IDS", ""},
		{api, "DLQ_REPLAY_SECURITY_GROUP_IDS", ""},
		{api, "DLQ_REPLAY_ASSIGN_PUBLIC_IP", "DISABLED"},
		{api, "ADMIN_BURST_MAX", "1000 1-10000"},
		{api, "AI_PROVIDER", "none"},
		{api, "OPENAI_MODEL", "gpt-4.1-mini"},
		{api, "AI_ANALYSIS_TIMEOUT_MS", "10000 1000-30000"},
		{api, "AI_ANALYSIS_RETRIES", "2 0-5"},
		{api, "AI_ANALYSIS_RETRY_BACKOFF_MS", "500 50-10000"},
		{api, "OTEL_ENABLED", "false"},
		{api, "OTEL_SERVICE_NAME", "ccee-api"},
		{api, "OTEL_EXPORTER_OTLP_ENDPOINT", ""},
		{api, "METRICS_WINDOW_SECONDS", "60 10-3600"},
		{api, "WORKER_FLEET_CAPACITY", "4 1-1000"},
		{worker, "JOB_QUEUE_NAME", "code-jobs"},
		{worker, "JOB_TTL_SECONDS", "86400 1-31536000"},
		{worker, "QUEUE_RETRY_BACKOFF_MS", "1000 1-60000"},
		{worker, "QUEUE_RETRY_MAX_DELAY_MS", "60000 1-300000"},
		{worker, "WORKER_CONCURRENCY", "4 0-4096"}, // 0, and more than 32: a worker fills the daemon beside it, whose slots follow the cores
		{worker, "WORKER_TENANT_SHARE", "75 1-100"},
		{worker, "MAX_STDIO_BYTES", "65536 1-1000000"},
		{worker, "OTEL_SERVICE_NAME", "ccee-worker"},
	} {
		if got, found := setting(t, tt.command, tt.env); !found || got != tt.want {
			t.Errorf("%s of ccee %s: %q, want %q", tt.env, tt.command, got, tt.want)
		}
	}
	for _, env := range []string{"TENANT_API_KEYS_JSON", "TENANT_POLICIES_JSON", "ADMIN_API_KEYS_JSON", "OPENAI_API_KEY", "REDIS_URL"} {
		if !slices.Contains(apiSecrets(), env) {
			t.Errorf("%s is not handed to the api", env)
		}
	}
}

// TestSecretSettings: what has no flag is in the one list of such settings.
func TestSecretSettings(t *testing.T) {
	for _, name := range append(apiSecrets(), workerSecrets()...) {
		if !slices.ContainsFunc(secretSettings(), func(s secret) bool { return s.name == name }) {
			t.Errorf("%s is not among the settings without a flag", name)
		}
	}
}

// setting is the default of a variable and, if it has one, its range.
func setting(t *testing.T, command, env string) (string, bool) {
	for _, cmd := range app(io.Discard, io.Discard).Commands {
		for _, f := range cmd.Flags {
			d, ok := f.(cli.DocGenerationFlag)
			if cmd.Name != command || !ok || !slices.Contains(d.GetEnvVars(), env) {
				continue
			}
			switch f := f.(type) {
			case *rangedFlag:
				return fmt.Sprintf("%d %d-%d", f.Value, f.Config.lo, f.Config.hi), true
			case *cli.StringFlag:
				return f.Value, true
			case *cli.BoolFlag:
				return fmt.Sprint(f.Value), true
			default:
				t.Fatalf("%s is of type %T", env, f)
			}
		}
	}
	return "", false
}
