package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"ccee/api/job"
)

// catalogueAge is how long a list of languages is used before it is read again.
const catalogueAge = 2 * time.Second

// errNoRuntimes: no worker has ever told which languages it runs.
var errNoRuntimes = errors.New("no worker has announced a language yet: start `ccee worker`, and see that its daemon has images")

// catalogue knows which languages the workers run. It reads them from the queue when a request needs them and the last
// answer is old; one request does so while the others use what is known. When workers or Redis are away, the last known
// list stays: jobs wait in the queue until a worker is back.
type catalogue struct {
	read func(context.Context) ([]job.Language, error)
	now  func() time.Time

	mu     sync.Mutex
	known  []job.Language // guarded by mu, as is readAt; the slice itself is never changed
	readAt time.Time      // of the last attempt

	reading sync.Mutex // held by the one request that reads
}

func newCatalogue(read func(context.Context) ([]job.Language, error)) *catalogue {
	return &catalogue{read: read, now: time.Now}
}

// languages returns the known languages in the order in which clients of the original know them.
func (c *catalogue) languages(ctx context.Context) ([]job.Language, error) {
	known, fresh := c.get()
	if fresh {
		return known, nil
	}
	if known == nil {
		c.reading.Lock() // nothing to go on with: wait for whoever reads
	} else if !c.reading.TryLock() {
		return known, nil
	}
	defer c.reading.Unlock()
	if known, fresh = c.get(); fresh { // another request was faster
		return known, nil
	}
	read, err := c.read(ctx)
	if known = c.set(read); known != nil {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, errNoRuntimes
}

// get returns what is known and whether that is recent. Nothing is never recent.
func (c *catalogue) get() (known []job.Language, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known, c.known != nil && c.now().Sub(c.readAt) < catalogueAge
}

// set keeps what was read, unless that is nothing, and returns what is known now.
func (c *catalogue) set(read []job.Language) []job.Language {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readAt = c.now()
	if len(read) > 0 {
		c.known = slices.Clone(read)
		slices.SortFunc(c.known, byOrderIn(firstLanguages))
	}
	return c.known
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
