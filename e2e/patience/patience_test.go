// SPDX-License-Identifier: Apache-2.0

package patience

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlowness(t *testing.T) {
	for text, want := range map[string]time.Duration{"": time.Minute, "1": time.Minute, "6": 6 * time.Minute, "60": time.Hour} {
		t.Setenv("SANDBOX_SLOWNESS", text)
		if got := Long(); got != want {
			t.Errorf("with SANDBOX_SLOWNESS=%q: %v, want %v", text, got, want)
		}
	}
}

// What never comes is told, after the time that the machine needs and no later.
func TestWait(t *testing.T) {
	t.Setenv("SANDBOX_SLOWNESS", "6")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if _, err := Wait(make(chan int), "an egg hatches"); err == nil || !strings.Contains(err.Error(), "not within 6m0s: an egg hatches") {
			t.Errorf("%v, want what was waited for, and how long", err)
		}
		if took := time.Since(began); took != 6*time.Minute {
			t.Errorf("it took %v, want 6 minutes", took)
		}
	})
}

func TestContext(t *testing.T) {
	t.Setenv("SANDBOX_SLOWNESS", "")
	synctest.Test(t, func(t *testing.T) {
		began, ctx := time.Now(), Context(t)
		<-ctx.Done()
		if took := time.Since(began); took != time.Minute || !strings.Contains(context.Cause(ctx).Error(), "1m0s") {
			t.Errorf("it ended after %v with %v, want a minute and a cause that says so", took, context.Cause(ctx))
		}
	})
}

func TestReceive(t *testing.T) {
	full, closed := make(chan int, 1), make(chan int)
	full <- 7
	close(closed)
	if got := Receive(t, full, "a value"); got != 7 {
		t.Errorf("%d, want 7", got)
	}
	if got := Receive(t, closed, "the end"); got != 0 {
		t.Errorf("%d, want 0 of a closed channel", got)
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		Until(t, "asked three times", func() (bool, string) { asked++; return asked == 3, "" })
		if asked != 3 {
			t.Errorf("asked %d times, want 3", asked)
		}
	})
}
