// Package patience says how long tests wait for what must come, and fails them with a message when it doesn't: a test that hangs
// takes the rest of its package along. Only tests import it.
package patience

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// Slowness is how many times slower than the machine that the time limits of tests are for this one is: what SANDBOX_SLOWNESS says, as
// .ci/cost measured it, or 1.
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

// Long is so long that nothing but a fault makes a test wait until it is over.
func Long() time.Duration { return time.Duration(Slowness()) * time.Minute }

// Context is the test's, and ends after Long.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), Long(), fmt.Errorf("nothing came within %v", Long()))
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

// Until asks again and again until the answer is true; state is for the message.
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
