// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"path/filepath"
	"strings"
	"testing"
)

// Errors name a socket in the working directory by the path that others can open.
func TestSocketInTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	q := openQueue(t, "unix:///proc/self/cwd/redis.sock", Options{})
	err := q.Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), "/proc/self") || strings.Count(err.Error(), filepath.Join(dir, "redis.sock")) != 2 {
		t.Errorf("%v, want an error that names %s/redis.sock", err, dir)
	}
}

// A tenant's name may have anything in it, as the api takes any.
func TestAnyNameOfATenant(t *testing.T) {
	for _, name := range []string{"a b:c ", "a:*?[x]", "ünï", "a\tb%d"} {
		q, tenant := newQueue(t, Options{}), unique(name)
		id := enqueue(t, q, tenant)
		if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
			t.Fatal(err)
		}
		wantState(t, q, tenant, id, Succeeded)
		wantActive(t, q, tenant, 0)
		if c, err := q.Verify(t.Context(), tenant, Anchor{}); err != nil || c.Events != 3 {
			t.Errorf("%q: %d entries in the audit, %v", tenant, c.Events, err)
		}
	}
}
