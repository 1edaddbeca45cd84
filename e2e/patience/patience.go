// SPDX-License-Identifier: Apache-2.0

// Package patience has tests wait for events, and fails them with a message when an event does not come: a test that hangs
// takes down the rest of its package. Only tests import it.
package patience

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// Slowness returns how many times slower this machine is than the one that the time limits of tests are for: SANDBOX_SLOWNESS, which
// .ci/cost measured, or 1.
func Slowness() int64 {
	text := os.Getenv("SANDBOX_SLOWNESS")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		panic(fmt.Sprintf("SANDBOX_SLOWNESS is %q, want a whole number from 1 on", text))
	}
	return n
}

// Long returns a time after which only a fault can explain that an event has not come.
func Long() time.Duration { return time.Duration(Slowness()) * time.Minute }

// Context returns the test's context, which also ends after Long.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), Long(), fmt.Errorf("no event within %v", Long()))
	t.Cleanup(cancel)
	return ctx
}

// Wait waits for a value, or for the end of the channel.
func Wait[T any](from <-chan T, what string) (v T, err error) {
	late := time.NewTimer(Long())
	defer late.Stop()
	select {
	case v = <-from:
		return v, nil
	case <-late.C:
		return v, fmt.Errorf("not within %v: %s", Long(), what)
	}
}

// Receive is Wait that fails the test. Not for goroutines that the test has started.
func Receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	v, err := Wait(from, what)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Until asks again and again until holds is true; state is for the message.
func Until(t testing.TB, what string, holds func() (ok bool, state string)) {
	t.Helper()
	tick, until := time.NewTicker(5*time.Millisecond), time.Now().Add(Long())
	defer tick.Stop()
	for {
		ok, state := holds()
		if ok {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("not within %v: %s; at last: %s", Long(), what, state)
		}
		<-tick.C
	}
}
