// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// A language whose tree is damaged and in use is withdrawn for as long as it is; one whose tree could be removed is not. Each is logged
// once.
func TestDamagedTreeIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &syncBuffer{}
		images := []rootfs.Image{profiled("python", pythonProfile, 1), profiled("java", strings.ReplaceAll(pythonProfile, "y", "j"), 1)}
		s := newServer(Options{Slots: 1, Log: zerolog.New(log)}, 0, &socket{}, offering(images...).list)
		var damaged atomic.Bool
		damaged.Store(true)
		s.checkTree = func(_ context.Context, image rootfs.Image) error {
			if !damaged.Load() {
				return nil
			}
			return &rootfs.TreeError{Image: image.Name, Cause: errors.New("cut"), Removed: image.Name == "java"}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go s.keepChecking(ctx)
		defer synctest.Wait()
		defer cancel()
		for range 5 {
			synctest.Wait()
			if got := leftOutNow(t, s); len(got) != 1 || !got["python"] {
				t.Errorf("left out: %v, want python", got)
			}
			time.Sleep(checkTreesEvery)
		}
		if n := strings.Count(log.String(), "the unpacked image python was damaged: cut: stop what uses it"); n != 1 {
			t.Errorf("the damage was logged %d times, want once: %s", n, log)
		}
		if !strings.Contains(log.String(), "the unpacked image java was damaged: cut: it is removed") {
			t.Errorf("the repair was not logged: %s", log)
		}
		damaged.Store(false)
		time.Sleep(2 * withdrawFor)
		if got := leftOutNow(t, s); len(got) != 0 {
			t.Errorf("left out after the repair: %v", got)
		}
	})
}

// leftOutNow returns the languages whose metric says that they are left out.
func leftOutNow(t *testing.T, s *Server) map[string]bool {
	t.Helper()
	all, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == "ccee_daemon_languages_left_out" && m.GetGauge().GetValue() == 1 {
				names[m.GetLabel()[0].GetValue()] = true
			}
		}
	}
	return names
}

// A language that is left out stays so, whatever else is found about its image.
func TestLeaveOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		image := profiled("python", pythonProfile, 1)
		s := newServer(Options{Slots: 1, PolicyFallback: true}, 0, &socket{}, offering(image).list)
		s.LeaveOut(job.Language{Name: "python", Image: image.Digest}, "it does not run")
		s.languages.withdraw(image, errors.New("cut"), withdrawFor)
		time.Sleep(time.Hour)
		if l, err := s.Languages(t.Context()); err != nil || len(l) != 0 {
			t.Errorf("%v, %v are offered", l, err)
		}
		all, err := s.metrics.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.GetName() == "ccee_daemon_policy_fallback" && f.GetMetric()[0].GetGauge().GetValue() == 1 {
				return
			}
		}
		t.Error("no metric says that another policy is used")
	})
}

// A tree that was damaged and removed is unpacked again for the job that found it.
func TestRemovedTreeIsUnpackedAgain(t *testing.T) {
	r := newRig(exits(0))
	tries := 0
	r.unpack = func(context.Context, rootfs.Image) (string, error) {
		if tries++; tries == 1 {
			return "", &rootfs.TreeError{Image: "python", Cause: errors.New("cut"), Removed: true}
		}
		return "/trees/x", nil
	}
	if _, err := r.run(t.Context(), "python"); err != nil || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
