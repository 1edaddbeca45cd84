// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// languages are what the tests' worker announces.
var languages = []job.Language{{Name: "java"}, {Name: "python"}, {Name: "javascript"}}

func TestCatalogue(t *testing.T) {
	python, javaToo := languages[1:2], languages[:2]
	now := time.Unix(0, 0)
	var reads int
	var answer []job.Language
	var fault error
	c := NewCatalogue(func(context.Context) (queue.Fleet, error) { reads++; return queue.Fleet{Known: answer}, fault }, nil)
	c.now = func() time.Time { return now }

	for _, step := range []struct {
		name    string
		pass    time.Duration
		answer  []job.Language
		fault   error
		want    int // languages
		wantErr error
		reads   int // so far
	}{
		{"redis away at first", 0, nil, context.DeadlineExceeded, 0, context.DeadlineExceeded, 1},
		{"no worker yet", 0, nil, nil, 0, ErrNoRuntimes, 2},
		{"a worker comes", 0, python, nil, 1, nil, 3},
		{"kept for a while", catalogueAge - 1, javaToo, nil, 1, nil, 3},
		{"then read again", 1, javaToo, nil, 2, nil, 4},
		{"redis away: the last known", catalogueAge, nil, context.DeadlineExceeded, 2, nil, 5},
		{"not asked again at once", 0, nil, context.DeadlineExceeded, 2, nil, 5},
		{"one was forgotten", catalogueAge, python, nil, 1, nil, 6},
	} {
		now = now.Add(step.pass)
		answer, fault = step.answer, step.fault
		got, err := c.Languages(context.Background())
		if len(got) != step.want || !errors.Is(err, step.wantErr) || reads != step.reads {
			t.Errorf("%s: %d languages, %v, %d reads; want %d, %v, %d", step.name, len(got), err, reads, step.want, step.wantErr, step.reads)
		}
	}
}

// While one request reads a list anew, the others use the last one.
func TestCatalogueDoesNotBlock(t *testing.T) {
	reading, release := make(chan struct{}), make(chan struct{})
	first := true
	c := NewCatalogue(func(context.Context) (queue.Fleet, error) {
		if !first {
			close(reading)
			<-release
		}
		first = false
		return queue.Fleet{Known: languages}, nil
	}, nil)
	if _, err := c.Languages(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.now = func() time.Time { return time.Now().Add(catalogueAge) }
	var slow sync.WaitGroup
	slow.Go(func() { _, _ = c.Languages(context.Background()) })
	patience.Receive(t, reading, "the list is read anew")
	if got, err := c.Languages(context.Background()); len(got) != 3 || err != nil {
		t.Errorf("%d languages, %v; want the three that were known", len(got), err)
	}
	close(release)
	slow.Wait()
}
