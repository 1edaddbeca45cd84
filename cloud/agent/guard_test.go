// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// recorder is an agent that notes when it was asked for what.
type recorder struct {
	began time.Time

	mu    sync.Mutex // guards the rest
	asked []string   // "seconds since began: minutes"
	err   error
}

func (r *recorder) answer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *recorder) Protect(_ context.Context, minutes int) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, fmt.Sprintf("%.0f:%d", time.Since(r.began).Seconds(), minutes))
	return time.Time{}, r.err
}

// guarded runs do with a Guard, on a clock that jumps whenever everybody waits, and returns what the agent was asked for.
func guarded(t *testing.T, do func(g *Guard, r *recorder)) (asked, log string) {
	t.Helper()
	var out bytes.Buffer
	r := &recorder{}
	synctest.Test(t, func(t *testing.T) {
		r.began = time.Now()
		g := NewGuard(r, zerolog.New(&out).Level(zerolog.InfoLevel))
		ctx, cancel := context.WithCancel(t.Context())
		go g.Run(ctx)
		synctest.Wait()
		do(g, r)
		cancel()
		synctest.Wait()
	})
	return strings.Join(r.asked, " "), out.String()
}

// pass lets time pass, until everything that is due in it has happened.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		do         func(g *Guard, r *recorder)
	}{
		{"nothing runs", "", func(*Guard, *recorder) { pass(time.Hour) }},
		{"one job, then idle", "0:10 35:0", func(g *Guard, _ *recorder) {
			end := g.Hold()
			pass(5 * time.Second)
			end()
			end() // twice is once
			pass(time.Hour)
		}},
		{"jobs that follow each other", "0:10 135:0", func(g *Guard, _ *recorder) {
			for range 5 {
				end := g.Hold()
				pass(time.Second)
				end()
				pass(20 * time.Second)
			}
			g.Hold()()
			pass(time.Hour)
		}},
		{"jobs at the same time", "0:10 50:0", func(g *Guard, _ *recorder) {
			first := g.Hold()
			pass(10 * time.Second)
			second := g.Hold()
			first()
			pass(10 * time.Second)
			second()
			pass(time.Hour)
		}},
		{"a long job is renewed", "0:10 300:10 600:10 690:0", func(g *Guard, _ *recorder) {
			end := g.Hold()
			pass(11 * time.Minute)
			end()
			pass(time.Hour)
		}},
		{"the agent is down", "0:10 1:10 3:10 7:10 15:10 31:10 63:10 123:10", func(g *Guard, r *recorder) {
			r.answer(errors.New("connection refused"))
			g.Hold()
			pass(3 * time.Minute)
		}},
		{"a protection that can't be ended", "0:10 31:0 32:0 34:0", func(g *Guard, r *recorder) {
			end := g.Hold()
			pass(time.Second)
			end()
			r.answer(errors.New("throttled"))
			pass(31500 * time.Millisecond)
			r.answer(nil)
			pass(time.Hour)
		}},
		{"a failure and no more job", "0:10", func(g *Guard, r *recorder) {
			r.answer(errors.New("throttled"))
			end := g.Hold()
			pass(500 * time.Millisecond)
			end()
			pass(time.Hour)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, log := guarded(t, tt.do); got != tt.want {
				t.Errorf("asked for %s\nwant      %s\n%s", got, tt.want, log)
			}
		})
	}
}

// An outage is logged when it begins and when it ends.
func TestGuardLog(t *testing.T) {
	_, log := guarded(t, func(g *Guard, r *recorder) {
		r.answer(errors.New("connection refused"))
		end := g.Hold()
		pass(9 * time.Minute)
		r.answer(nil)
		pass(10 * time.Minute)
		end()
		pass(time.Hour)
	})
	if strings.Count(log, "\n") != 2 || !strings.Contains(log, "connection refused") || !strings.Contains(log, "again") {
		t.Errorf("the log is\n%swant the beginning and the end of one outage", log)
	}
}
