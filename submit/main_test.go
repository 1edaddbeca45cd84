// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/queue"
)

var shared *redistest.Server // nil where redis-server is not installed

func TestMain(m *testing.M) { os.Exit(redistest.Main(m, &shared)) }

var names atomic.Int64

// newQueue opens a queue of the test's own.
func newQueue(t testing.TB) *queue.Queue {
	t.Helper()
	redistest.Require(t)
	name := fmt.Sprint("queue-", names.Add(1))
	q, err := queue.Open(shared.URL(), queue.Options{Name: name, DeadLetterName: name + "-dlq"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}
