// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// errClosed means that Close was called.
var errClosed = errors.New("the queue is closed")

// listenIdle is after how long a listener that receives nothing checks the connection, and how long it then waits for an answer.
const listenIdle = 15 * time.Second

// listener wakes the watchers of an id when a message names it. Pub/sub loses messages when the connection breaks, so each
// (re)subscription wakes all watchers: a wake-up means no more than "read again".
type listener struct {
	rdb     *redis.Client
	channel string
	ctx     context.Context // ends on close
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu      sync.Mutex // guards the rest
	started bool
	watches map[string]map[chan struct{}]struct{}
}

func newListener(rdb *redis.Client, channel string) *listener {
	ctx, cancel := context.WithCancel(context.Background())
	return &listener{rdb: rdb, channel: channel, ctx: ctx, cancel: cancel, watches: map[string]map[chan struct{}]struct{}{}}
}

// watch returns a channel that gets a value when id may have changed, and the function that ends the watch. The first watch starts the
// subscription.
func (l *listener) watch(id string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started && l.ctx.Err() == nil {
		l.started = true
		l.wg.Go(l.listen)
	}
	if l.watches[id] == nil {
		l.watches[id] = map[chan struct{}]struct{}{}
	}
	l.watches[id][c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watches[id], c)
		if len(l.watches[id]) == 0 {
			delete(l.watches, id)
		}
	}
}

func (l *listener) closed() <-chan struct{} { return l.ctx.Done() }

func (l *listener) close() {
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *listener) wake(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.watches[id] {
		poke(c)
	}
}

func (l *listener) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cs := range l.watches {
		for c := range cs {
			poke(c)
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not read the last wake-up yet
	}
}

// listen keeps a subscription until close.
func (l *listener) listen() {
	const first, last = 50 * time.Millisecond, 2 * time.Second
	wait := first
	for l.ctx.Err() == nil {
		if l.receive() {
			wait = first
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, last)
		case <-l.ctx.Done():
		}
	}
}

// receive handles messages until the connection breaks; it reports whether there was one.
func (l *listener) receive() (connected bool) {
	ps := l.rdb.Subscribe(l.ctx, l.channel)
	defer ps.Close()
	// A blocked read does not notice that a context ends, but that its connection is closed.
	defer context.AfterFunc(l.ctx, func() { ps.Close() })()

	asked := false
	for {
		msg, err := ps.ReceiveTimeout(l.ctx, listenIdle)
		var ne net.Error
		switch {
		case err == nil:
			asked, connected = false, true
		case errors.As(err, &ne) && ne.Timeout() && !asked && l.ctx.Err() == nil && ps.Ping(l.ctx) == nil:
			asked = true
			continue
		default:
			return connected
		}
		switch m := msg.(type) {
		case *redis.Subscription:
			l.wakeAll()
		case *redis.Message:
			l.wake(m.Payload)
		}
	}
}
