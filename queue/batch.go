// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// The bounds of batches. Two at a time: while Redis works on one the other is gathered.
const (
	batchMax   = 128 // commands
	batchLines = 2
)

// batcher sends the commands of concurrent callers in one write: most of the cost of a short command, here and in Redis, is the system
// calls around it. No caller waits for others: a batch is what has gathered while the batches before it were under way.
//
// go-redis v9.23 has Client.AutoPipeline for this, marked EXPERIMENTAL: subject to change. When it is stable, and never repeats a command
// that may have been executed (a job claimed twice waits until the first lease ends), it replaces this file.
type batcher struct {
	rdb  *redis.Client
	in   chan *batched
	stop chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// batched holds the commands of one caller.
type batched struct {
	cmds []redis.Cmder
	done chan struct{} // closed when they have their answers
}

func newBatcher(rdb *redis.Client) *batcher {
	b := &batcher{rdb: rdb, in: make(chan *batched), stop: make(chan struct{})}
	for range batchLines {
		b.wg.Go(b.send)
	}
	return b
}

// do executes commands in their order and returns when each has its answer or its error. When ctx ends first, it returns ctx's error;
// then the commands may still be executed and must not be read.
func (b *batcher) do(ctx context.Context, cmds ...redis.Cmder) error {
	item := &batched{cmds: cmds, done: make(chan struct{})}
	select {
	case b.in <- item:
	case <-ctx.Done():
		return ctx.Err()
	case <-b.stop:
		return redis.ErrClosed
	}
	select {
	case <-item.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *batcher) close() {
	b.once.Do(func() { close(b.stop) })
	b.wg.Wait()
}

// send sends batches until close.
func (b *batcher) send() {
	for {
		select {
		case item := <-b.in:
			b.exec(b.gather(item))
		case <-b.stop:
			return
		}
	}
}

// gather adds to the first item those of other waiting callers.
func (b *batcher) gather(first *batched) []*batched {
	items, n := []*batched{first}, len(first.cmds)
	for n < batchMax {
		select {
		case item := <-b.in:
			items = append(items, item)
			n += len(item.cmds)
		default:
			return items
		}
	}
	return items
}

func (b *batcher) exec(items []*batched) {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	pipe := b.rdb.Pipeline()
	for _, item := range items {
		for _, cmd := range item.cmds {
			_ = pipe.Process(ctx, cmd)
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for _, item := range items {
		close(item.done)
	}
}
