// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// profiled is an image with that profile, made so many minutes after the epoch.
func profiled(name, profile string, minutes int) rootfs.Image {
	return rootfs.Image{Name: name, Digest: "sha256:" + name, Created: time.Unix(int64(minutes)*60, 0),
		Labels: map[string]string{languageLabel: profile}}
}

const (
	pythonProfile = `{"name":"python","aliases":["py","Python3"],"sourceFile":"main.py","run":["/usr/bin/python3","main.py"]}`
	newerProfile  = `{"name":"Python","version":"4","sourceFile":"main.py","run":["/usr/bin/python4"]}`
	rudeProfile   = `{"name":"rude","aliases":["python"],"sourceFile":"x","run":["/x"],"later":true}`
)

func offering(images ...rootfs.Image) *catalogue {
	return &catalogue{list: func(context.Context) ([]rootfs.Image, error) { return images, nil }}
}

func TestLookup(t *testing.T) {
	c := offering(profiled("old", pythonProfile, 1), profiled("a-rude-one", rudeProfile, 9))
	for _, tt := range []struct{ name, image string }{
		{"python", "sha256:old"}, {"PYTHON", "sha256:old"}, {"py", "sha256:old"}, {"python3", "sha256:old"}, {"rude", "sha256:a-rude-one"},
	} {
		l, err := c.lookup(t.Context(), tt.name)
		if err != nil || l.profile.Image != tt.image || l.image.Digest != tt.image {
			t.Errorf("lookup(%q) = %+v, %v, want image %s", tt.name, l, err, tt.image)
		}
	}
	_, err := c.lookup(t.Context(), "ruby")
	if e, ok := err.(*job.Error); !ok || e.Code != job.EInvalid || e.Field != "language" || !strings.Contains(e.Message, "python, rude") {
		t.Errorf("lookup(ruby) = %#v, want EInvalid for language that names python, rude", err)
	}
	if _, err := offering().lookup(t.Context(), "python"); job.ErrorCode(err) != job.EUnavailable {
		t.Errorf("lookup in an empty store = %v, want EUnavailable", err)
	}
}

func TestNewerImageWins(t *testing.T) {
	for _, order := range [][]rootfs.Image{
		{profiled("old", pythonProfile, 1), profiled("new", newerProfile, 2)},
		{profiled("new", newerProfile, 2), profiled("old", pythonProfile, 1)},
	} {
		l, err := offering(order...).lookup(t.Context(), "python")
		if err != nil || l.profile.Version != "4" {
			t.Errorf("lookup = %+v, %v, want version 4", l, err)
		}
	}
}

func TestCatalogueSeesChanges(t *testing.T) {
	var images []rootfs.Image
	c := &catalogue{list: func(context.Context) ([]rootfs.Image, error) { return images, nil }}
	if _, err := c.lookup(t.Context(), "python"); err == nil {
		t.Error("lookup in an empty store found python")
	}
	images = []rootfs.Image{profiled("p", pythonProfile, 1)}
	if _, err := c.lookup(t.Context(), "python"); err != nil {
		t.Errorf("lookup after the image came: %v", err)
	}
	before := c.table
	if _, err := c.lookup(t.Context(), "python"); err != nil || c.table != before {
		t.Errorf("the profiles were read again without a change (%v)", err)
	}
	images = []rootfs.Image{{Name: "p", Digest: "sha256:p", Damage: "blob is gone"}}
	if _, err := c.lookup(t.Context(), "python"); err == nil {
		t.Error("lookup found python in a damaged image")
	}
}

func TestSkippedImages(t *testing.T) {
	for _, tt := range []struct {
		image rootfs.Image
		want  string
	}{
		{rootfs.Image{Name: "plain"}, "no label ccee.language"},
		{rootfs.Image{Name: "broken", Damage: "blob sha256:1 is missing"}, "blob sha256:1 is missing"},
		{profiled("x", "{", 1), "unexpected end"},
		{profiled("x", `{"sourceFile":"a","run":["/a"]}`, 1), "name is missing"},
		{profiled("x", `{"name":"a","sourceFile":"a","run":["a"]}`, 1), "absolute"},
		{profiled("x", `{"name":"a","sourceFile":"a","run":["/a"],"compile":["cc"]}`, 1), "absolute"},
		{profiled("x", `{"name":"a","sourceFile":"../a","run":["/a"]}`, 1), "can't be a file's name"},
	} {
		table := newTable([]rootfs.Image{tt.image}, nil)
		if len(table.sorted) != 0 || len(table.skipped) != 1 || !strings.Contains(table.skipped[0], tt.want) || !strings.Contains(table.skipped[0], tt.image.Name) {
			t.Errorf("%+v: %d offered, skipped %q, want none and one that says %q", tt.image, len(table.sorted), table.skipped, tt.want)
		}
	}
}

// An image that turns out to be damaged when a job needs it is withdrawn: its jobs are refused, it is no longer offered, and others are not
// affected. After a while it is tried again, as it may have been repaired.
func TestDamagedImageIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(exits(0), exits(0), exits(0))
		log := &syncBuffer{}
		r.languages.log = zerolog.New(log)
		damaged := true
		r.unpack = func(_ context.Context, image rootfs.Image) (string, error) {
			if damaged && image.Name == "python" {
				return "", fmt.Errorf("layer 1: %w", &rootfs.DamagedError{Digest: "sha256:1", Image: "python", Cause: "is missing"})
			}
			return "/trees/x", nil
		}
		_, err := r.run(t.Context(), "py")
		if e, ok := err.(*job.Error); !ok || e.Code != job.EInvalid || e.Field != "language" || !strings.Contains(e.Message, "python, whose image is damaged") {
			t.Errorf("the job that finds the damage: %#v, want EInvalid for language", err)
		}
		if !strings.Contains(log.String(), `"level":"error"`) || !strings.Contains(log.String(), "blob sha256:1 of image python is missing") {
			t.Errorf("log %s lacks the damage", log)
		}
		damaged = false
		time.Sleep(withdrawFor)
		if _, err := r.languages.lookup(t.Context(), "python"); err == nil || strings.Contains(err.Error(), "use python") || !strings.Contains(err.Error(), "use java") {
			t.Errorf("lookup = %v, want an error that offers java alone", err)
		}
		table, err := r.languages.current(t.Context())
		if err != nil || len(table.profiles()) != 1 || len(table.skipped) != 1 || !strings.Contains(table.skipped[0], "image python: layer 1: blob sha256:1") {
			t.Errorf("%d languages are offered, %q skipped, %v; want one and the reason", len(table.profiles()), table.skipped, err)
		}
		if _, err := r.run(t.Context(), "java"); err != nil {
			t.Errorf("another language: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := r.run(t.Context(), "python"); err != nil {
			t.Errorf("after it was repaired: %v", err)
		}
	})
}

// Another fault of the store is no reason to withdraw a language.
func TestUnpackFaultWithdrawsNothing(t *testing.T) {
	r := newRig()
	r.unpack = func(context.Context, rootfs.Image) (string, error) { return "", errors.New("disk full") }
	if _, err := r.run(t.Context(), "python"); job.ErrorCode(err) != job.EInternal {
		t.Errorf("%v, want a fault of ours", err)
	}
	if _, err := r.languages.lookup(t.Context(), "python"); err != nil {
		t.Errorf("lookup = %v, want the language", err)
	}
}
