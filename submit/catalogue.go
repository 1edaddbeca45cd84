package api

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

// catalogueAge is how long a look at the workers is used before they are looked at again.
const catalogueAge = 2 * time.Second

// errNoRuntimes: no worker has ever told which languages it runs, and Options.Languages names none.
var errNoRuntimes = errors.New("no language can be submitted: no worker has announced one yet, and CCEE_LANGUAGES names none")

// catalogue knows what can be submitted: what workers run, what they ran within 30 days, and Options.Languages; and apart from that what can
// run now. It asks the queue when a request needs it and the last answer is old; one request does so while the others use what is known.
// While Redis is away, the last known list stays.
type catalogue struct {
	read func(context.Context) (queue.Fleet, error)
	seed []job.Language
	now  func() time.Time

	mu     sync.Mutex
	known  []job.Language // guarded by mu, as are the next two; the slices themselves are never changed
	fleet  queue.Fleet
	readAt time.Time // of the last attempt

	reading sync.Mutex // held by the one request that reads
}

func newCatalogue(read func(context.Context) (queue.Fleet, error), seed []job.Language) *catalogue {
	return &catalogue{read: read, seed: seed, now: time.Now}
}

// languages returns what can be submitted, in the order in which clients of the original know it.
func (c *catalogue) languages(ctx context.Context) ([]job.Language, error) {
	known, _, err := c.look(ctx)
	return known, err
}

// look returns what can be submitted, and who is there to run it.
func (c *catalogue) look(ctx context.Context) ([]job.Language, queue.Fleet, error) {
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
	return nil, fleet, errNoRuntimes
}

// get returns what is known and whether that is recent. Nothing is never recent.
func (c *catalogue) get() (known []job.Language, fleet queue.Fleet, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known, c.fleet, c.known != nil && c.now().Sub(c.readAt) < catalogueAge
}

// set keeps what was read, and returns what is known now.
func (c *catalogue) set(read queue.Fleet, err error) ([]job.Language, queue.Fleet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readAt = c.now()
	if err == nil {
		c.known, c.fleet = c.submittable(read), read
	}
	return c.known, c.fleet
}

// submittable are the languages that can be submitted: what a worker announced wins over the seed.
func (c *catalogue) submittable(fleet queue.Fleet) []job.Language {
	all := slices.Clone(fleet.Known)
	for _, l := range c.seed {
		if !offers(all, l.Name) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, byOrderIn(firstLanguages))
	return all
}

// offers says whether a language of that name is in the list.
func offers(list []job.Language, name string) bool {
	return slices.ContainsFunc(list, func(l job.Language) bool { return l.Name == name })
}

// firstLanguages come before all others, in this order: it is part of the text of a validation error.
var firstLanguages = []string{"javascript", "python", "java"}

// byOrderIn compares languages by their places among first, and those that are not there by name behind them.
func byOrderIn(first []string) func(a, b job.Language) int {
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
