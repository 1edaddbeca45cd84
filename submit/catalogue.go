// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// catalogueAge is how long the last answer about the workers is used before they are asked about again.
const catalogueAge = 2 * time.Second

// ErrNoRuntimes means that no worker has ever announced a language and that CCEE_LANGUAGES names none.
var ErrNoRuntimes = errors.New("no language can be submitted: no worker has announced one yet, and CCEE_LANGUAGES names none")

// Catalogue knows the languages that can be submitted: those that workers run, those that they ran within 30 days, and the seed; and apart
// from that which can run now. It asks the queue when a caller needs it and its last answer is old; one caller asks while the others use
// what is known. While Redis is unreachable, the last known list stays.
type Catalogue struct {
	read func(context.Context) (queue.Fleet, error)
	seed []job.Language
	now  func() time.Time

	mu     sync.Mutex
	known  []job.Language // guarded by mu, as are the next two; the slices themselves are never changed
	fleet  queue.Fleet
	readAt time.Time // of the last attempt

	reading sync.Mutex // held by the one caller that reads
}

// NewCatalogue returns a catalogue over what read returns, such as queue.(*Queue).Fleet. seed are languages that can be submitted although
// no worker has announced them.
func NewCatalogue(read func(context.Context) (queue.Fleet, error), seed []job.Language) *Catalogue {
	return &Catalogue{read: read, seed: seed, now: time.Now}
}

// Languages returns the languages that can be submitted, in the order in which clients of the original know them. The error is
// ErrNoRuntimes, or the queue's.
func (c *Catalogue) Languages(ctx context.Context) ([]job.Language, error) {
	known, _, err := c.Look(ctx)
	return known, err
}

// Look is Languages, and the workers that are there to run them.
func (c *Catalogue) Look(ctx context.Context) ([]job.Language, queue.Fleet, error) {
	known, fleet, fresh := c.get()
	if fresh {
		return known, fleet, nil
	}
	if known == nil {
		c.reading.Lock() // nothing to go on with: wait for whoever reads
	} else if !c.reading.TryLock() {
		return known, fleet, nil
	}
	defer c.reading.Unlock()
	if known, fleet, fresh = c.get(); fresh { // another request was faster
		return known, fleet, nil
	}
	read, err := c.read(ctx)
	known, fleet = c.set(read, err)
	switch {
	case known != nil:
		return known, fleet, nil
	case err != nil:
		return nil, fleet, err
	}
	return nil, fleet, ErrNoRuntimes
}

// get returns what is known and whether that is recent. Nothing is never recent.
func (c *Catalogue) get() (known []job.Language, fleet queue.Fleet, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known, c.fleet, c.known != nil && c.now().Sub(c.readAt) < catalogueAge
}

// set keeps what was read, and returns what is known now.
func (c *Catalogue) set(read queue.Fleet, err error) ([]job.Language, queue.Fleet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readAt = c.now()
	if err == nil {
		c.known, c.fleet = c.Submittable(read), read
	}
	return c.known, c.fleet
}

// Submittable returns the languages that can be submitted to a fleet: what a worker announced wins over the seed.
func (c *Catalogue) Submittable(fleet queue.Fleet) []job.Language {
	all := slices.Clone(fleet.Known)
	for _, l := range c.seed {
		if !Offers(all, l.Name) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, InOrder(firstLanguages))
	return all
}

// Offers reports whether a language of that name is in the list.
func Offers(list []job.Language, name string) bool {
	return slices.ContainsFunc(list, func(l job.Language) bool { return l.Name == name })
}

// firstLanguages come before all others, in this order: it is part of the text of a validation error.
var firstLanguages = []string{"javascript", "python", "java"}

// InOrder compares languages by their places among first; those that are not there come behind them, by name.
func InOrder(first []string) func(a, b job.Language) int {
	rank := func(l job.Language) int {
		if i := slices.Index(first, l.Name); i >= 0 {
			return i
		}
		return len(first)
	}
	return func(a, b job.Language) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name, b.Name))
	}
}
