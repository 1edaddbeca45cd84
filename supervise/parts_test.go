// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"net"
	"slices"
	"testing"

	"github.com/rs/zerolog"
)

func testUp(t *testing.T, environ ...string) *Up {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &Up{id: Identity{UID: 7, GID: 8}, redis: &redisServer{path: "/bin/redis-server", memory: 1 << 20}, Options: Options{
		Socket: "/run/x.sock", Images: "/images", Cgroup: "x", LogLevel: "info", Languages: "none", Log: zerolog.Nop(),
		Listener: l.(*net.TCPListener), Environ: func(string) []string { return environ }}}
}

// TestChildren: the order of the start, and which part runs as which user: the daemon alone is root, the others have no supplementary
// group.
func TestChildren(t *testing.T) {
	u := testUp(t)
	var names []string
	for _, c := range u.children() {
		names = append(names, c.name)
		switch {
		case c.name == "daemon" && c.cred != nil:
			t.Errorf("the daemon runs as %+v, want root", c.cred)
		case c.name != "daemon" && (c.cred == nil || c.cred.Uid != 7 || c.cred.Gid != 8 || c.cred.Groups != nil || c.cred.NoSetGroups):
			t.Errorf("%s runs as %+v, want 7:8 without further groups", c.name, c.cred)
		}
	}
	if want := []string{"redis", "daemon", "worker", "api"}; !slices.Equal(names, want) {
		t.Errorf("the parts are %v, want %v", names, want)
	}
	u.redis = nil
	if c := u.children(); len(c) != 3 || c[0].name != "daemon" {
		t.Errorf("with a Redis from outside the parts are %+v", c)
	}
}

// TestWorkerConcurrency: the worker has as many jobs at once as the daemon has slots, unless WORKER_CONCURRENCY is set.
func TestWorkerConcurrency(t *testing.T) {
	for _, tt := range []struct {
		env  []string
		want []string // of the arguments, from --socket on
	}{
		{nil, []string{"--socket", "/run/x.sock", "--concurrency", "0"}},
		{[]string{"WORKER_CONCURRENCY="}, []string{"--socket", "/run/x.sock", "--concurrency", "0"}},
		{[]string{"WORKER_CONCURRENCY=7"}, []string{"--socket", "/run/x.sock"}},
	} {
		c := testUp(t, tt.env...).workerCommand()
		if got := c.Args[slices.Index(c.Args, "--socket"):]; !slices.Equal(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.env, got, tt.want)
		}
		if want := append(tt.env, "REDIS_URL="+ownRedisURL); !slices.Equal(c.Env, want) {
			t.Errorf("%v: environment %q, want %q", tt.env, c.Env, want)
		}
	}
}

// TestEnvironment: a part without a variable gets an empty environment, not that of ccee up; with a Redis from outside no address is added.
func TestEnvironment(t *testing.T) {
	u := testUp(t)
	if c := u.daemonCommand(); c.Env == nil || len(c.Env) != 0 {
		t.Errorf("the daemon's environment is %#v, want an empty one", c.Env)
	}
	u.redis = nil
	c := u.apiCommand()
	if c.Err != nil || c.Env == nil || len(c.Env) != 0 || len(c.ExtraFiles) != 1 {
		t.Fatalf("the api: %v, environment %#v, %d files", c.Err, c.Env, len(c.ExtraFiles))
	}
	c.ExtraFiles[0].Close()
}
