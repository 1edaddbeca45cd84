// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Cores are busy by the time that jobs use on them, whatever the number of jobs.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used time.Duration
		var broken error
		l := NewLoad(2, func() (time.Duration, error) { return used, broken })
		if !l.Busy() {
			t.Error("not busy before anything is known")
		}
		for _, tt := range []struct {
			pass, use time.Duration
			err       error
			want      bool
		}{
			{time.Second, 0, nil, false},
			{time.Second, 1499 * time.Millisecond, nil, false},
			{time.Second, 1500 * time.Millisecond, nil, true},
			{99 * time.Millisecond, 0, nil, true}, // too short to tell
			{time.Millisecond, 0, nil, false},
			{time.Second, 0, errors.New("no such cgroup"), true},
			{time.Second, 0, nil, false},
			{200 * time.Millisecond, 400 * time.Millisecond, nil, true},
		} {
			time.Sleep(tt.pass)
			used, broken = used+tt.use, tt.err
			if got := l.Busy(); got != tt.want {
				t.Errorf("after %v with %v of CPU time, %v: busy %v, want %v", tt.pass, tt.use, tt.err, got, tt.want)
			}
		}
	})
}
