// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// TestPoolNeeds: a worker with a pool names what is missing, and takes no job.
func TestPoolNeeds(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"another backend", []string{"--backend", "fargate"}, "must be one of"},
		{"no daemons", nil, "needs --daemons"},
		{"no port", []string{"--daemons", "a"}, "HOST:PORT"},
		{"no name", []string{"--daemons", "srv:"}, "HOST:PORT"},
		{"no cluster", []string{"--daemons", "ecs:svc:8443"}, "--ecs-cluster"},
		{"no certificate", []string{"--daemons", "a:1"}, "--tls-cert is missing"},
		{"no such file", []string{"--daemons", "a:1", "--tls-cert", "a", "--tls-key", "b", "--tls-ca", "c"}, "read the certificate"},
	} {
		_, out, code := ccee(t, append([]string{"worker", "--backend", "pool"}, tt.args...)...)
		if code == 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit code %d, %q, want an error with %q", tt.name, code, out, tt.want)
		}
	}
}
