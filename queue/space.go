// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Space is a part of the queue's Redis that belongs to another package: keys and one channel below a prefix of its own, changed by scripts
// of its own. They touch no key of keyTable, so neither package has to know the other's steps.
type Space struct {
	q       *Queue
	prefix  string
	notices *listener
}

// Space returns the space of that name: its keys begin with queue:<queue's name>:<name>:. The caller closes it before the Queue.
func (q *Queue) Space(name string) *Space {
	prefix := "queue:" + q.opts.Name + ":" + name + ":"
	return &Space{q: q, prefix: prefix, notices: newListener(q.rdb, prefix+"notices")}
}

// Close ends the space's subscription.
func (s *Space) Close() { s.notices.close() }

// Step is one atomic step of a Space.
type Step struct {
	script *redis.Script
	space  *Space
}

// Step returns the step of a Lua script. The script finds its keys' prefix in SPACE, and wakes those who Watch an id by
// PUBLISH NOTICES id.
func (s *Space) Step(text string) *Step {
	head := "local SPACE, NOTICES = " + luaString(s.prefix) + ", " + luaString(s.prefix+"notices") + "\n"
	return &Step{redis.NewScript(head + text), s}
}

// Run runs the step within a few seconds and returns its answer: nil, an int64, a string, or a []any of these. what completes the sentence
// "... on Redis at ...". Arguments may be megabytes, so a step shares no batch with others.
func (st *Step) Run(ctx context.Context, what string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	v, err := st.script.Run(ctx, st.space.q.rdb, nil, args...).Result()
	if err == redis.Nil { // the script returned false
		return nil, nil
	}
	return v, st.space.q.explain(what, err)
}

// Watch returns a channel that gets a value when there may be news about id, and the function that ends the watch. All watches of a Space
// share one connection. A broken connection loses notices, and then wakes everybody.
func (s *Space) Watch(id string) (<-chan struct{}, func()) { return s.notices.watch(id) }
