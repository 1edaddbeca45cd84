package api

import (
	"context"
	"errors"

	"github.com/ccee-dev/ccee/queue"
)

// The bounds of what large answers take in memory together. What is small takes no more than its request does.
const (
	answersRoom = 192 << 20 // bytes
	// answerCost is how many bytes of memory a stored byte takes at most while it becomes an answer: as it was read, decoded, shown (output is there
	// twice, of all steps and of its own), encoded and compressed.
	answerCost = 6
)

// errCrowded means that there is no room for a large answer.
var errCrowded = errors.New("too many large answers are on their way")

// whole completes what a look at a tenant's job left out, once there is room for it: until the call ends, or the answer is encoded.
func (s *Server) whole(c *call, rec queue.Record, err error) (queue.Record, error) {
	if err != nil || rec.Large == 0 {
		return rec, err
	}
	if err := c.makeRoom(rec.Large); err != nil {
		return queue.Record{}, err
	}
	ctx, cancel := c.redis()
	defer cancel()
	return s.opts.Queue.Get(ctx, c.who.Tenant, rec.ID)
}

// makeRoom reserves what an answer takes of which so many bytes are stored, beside what the call has already.
func (c *call) makeRoom(stored int64) error {
	if !c.answer.grow(c.r.Context(), c.answer.n+min(answerCost*stored, answersRoom/2)) {
		return errCrowded
	}
	return nil
}

// dropAnswer gives back what the answer had.
func (c *call) dropAnswer() { c.answer.shrink(0) }

// wholeArchived is whole for a job that Redis was found not to have.
func wholeArchived[T any](c *call, a Archive, id string, get func(ctx context.Context, tenant, id string) (T, error)) (v T, err error) {
	size, err := a.Size(c.r.Context(), c.who.Tenant, id)
	if err != nil {
		return v, err
	}
	if size > queue.SmallOutput {
		if err := c.makeRoom(size); err != nil {
			return v, err
		}
	}
	return get(c.r.Context(), c.who.Tenant, id)
}
