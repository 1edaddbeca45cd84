// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"strings"
	"testing"
)

// TestCheckRedis: a REDIS_URL that can't work is found before anything is started, and no error has its password.
func TestCheckRedis(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"foo", "REDIS_URL: the Redis URL is not of the form"},
		{"http://localhost:6379", "REDIS_URL: the Redis URL is not of the form"},
		{"redis://:secret@127.0.0.1:1", "connection refused: start that Redis, or unset REDIS_URL"},
		{"unix://" + t.TempDir() + "/none.sock", "no such file or directory: start that Redis, or unset REDIS_URL"},
	} {
		err := CheckRedis(t.Context(), tt.url)
		switch {
		case err == nil || !strings.Contains(err.Error(), tt.want):
			t.Errorf("REDIS_URL=%s: %v, want %q", tt.url, err, tt.want)
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("REDIS_URL=%s: %v has the password", tt.url, err)
		}
	}
}

// TestCheckSocket: a path that no socket can have, and a free one whose directory is made.
func TestCheckSocket(t *testing.T) {
	dir := t.TempDir()
	if err := CheckSocket(dir + "/" + strings.Repeat("x", 108)); err == nil || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("a long path: %v", err)
	}
	if err := CheckSocket(dir + "/new/daemon.sock"); err != nil {
		t.Errorf("a free path: %v", err)
	}
}
