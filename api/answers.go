// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"

	"github.com/ccee-dev/ccee/queue"
)

// The bounds of the memory that large answers take together. A small one takes no more than its request does.
const (
	answersRoom = 192 << 20 // bytes
	// answerCost is how many bytes of memory a stored byte takes at most while it becomes an answer: as read, decoded, shown (output is
	// there twice, of all steps and of its own step), encoded and compressed.
	answerCost = 6
)

// errOverloaded means that there is no room for a large answer.
var errOverloaded = errors.New("too many large answers are in flight")

// loadOutput reads the output that a look at a tenant's job left out, once there is room for it. The room is held until the call ends or
// the answer is encoded.
func (s *Server) loadOutput(c *call, rec queue.Record, err error) (queue.Record, error) {
	if err != nil || rec.Large == 0 {
		return rec, err
	}
	if err := c.reserveAnswer(rec.Large); err != nil {
		return queue.Record{}, err
	}
	ctx, cancel := c.redis()
	defer cancel()
	return s.opts.Queue.Get(ctx, c.who.Tenant, rec.ID)
}

// reserveAnswer reserves memory for an answer of which so many bytes are stored, beside the call's earlier reservations.
func (c *call) reserveAnswer(stored int64) error {
	if !c.answer.grow(c.r.Context(), c.answer.n+min(answerCost*stored, answersRoom/2)) {
		return errOverloaded
	}
	return nil
}

// releaseAnswer releases the reservation of the answer.
func (c *call) releaseAnswer() { c.answer.shrink(0) }

// loadArchived is loadOutput for a job that Redis was found not to have.
func loadArchived[T any](c *call, a Archive, id string, get func(ctx context.Context, tenant, id string) (T, error)) (v T, err error) {
	size, err := a.Size(c.r.Context(), c.who.Tenant, id)
	if err != nil {
		return v, err
	}
	if size > queue.SmallOutput {
		if err := c.reserveAnswer(size); err != nil {
			return v, err
		}
	}
	return get(c.r.Context(), c.who.Tenant, id)
}
