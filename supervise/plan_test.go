package main

import (
	"slices"
	"strings"
	"testing"
)

// TestUpConcurrency: the worker of ccee up has as many jobs at once as the daemon has slots, and WORKER_CONCURRENCY wins over it.
func TestUpConcurrency(t *testing.T) {
	u := &plan{cmd: upCommand(), socket: "/run/x.sock"}
	for _, tt := range []struct {
		set  string
		args []string // that are there, one after the other
		env  bool     // WORKER_CONCURRENCY is handed on
	}{
		{"", []string{"--concurrency", "0"}, false},
		{"7", nil, true},
	} {
		t.Setenv("WORKER_CONCURRENCY", tt.set)
		c := u.workerCommand()
		i := slices.Index(c.Args, "--concurrency")
		switch {
		case tt.args == nil && i >= 0, tt.args != nil && (i < 0 || !slices.Equal(c.Args[i:], tt.args)):
			t.Errorf("WORKER_CONCURRENCY=%s: arguments %q, want %q at their end", tt.set, c.Args, tt.args)
		case slices.Contains(c.Env, "WORKER_CONCURRENCY="+tt.set) != tt.env && tt.set != "":
			t.Errorf("WORKER_CONCURRENCY=%s: environment %q", tt.set, c.Env)
		}
	}
}

// TestCheckRedis: a REDIS_URL that can't work is found before anything is started.
func TestCheckRedis(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"", ""},
		{"foo", "REDIS_URL: the Redis URL is not of the form"},
		{"http://localhost:6379", "REDIS_URL: the Redis URL is not of the form"},
		{"redis://:secret@127.0.0.1:1", "connection refused: start that Redis, or unset REDIS_URL"},
		{"unix://" + t.TempDir() + "/none.sock", "no such file or directory: start that Redis, or unset REDIS_URL"},
	} {
		t.Setenv("REDIS_URL", tt.url)
		err := checkRedis(t.Context())
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("REDIS_URL=%s: %v, want %q", tt.url, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("REDIS_URL=%s: %v tells the password", tt.url, err)
		}
	}
}
