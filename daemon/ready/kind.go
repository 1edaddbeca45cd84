// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/nsjail"
)

// kind are the prewarmed sandboxes of one configuration, and the demand for them.
type kind struct {
	cfg      nsjail.Config   // without ids
	program  *nsjail.Process // started in each sandbox; nil for none
	language string

	programBytes int64     // memory that the program took, at most, when it was started
	retryAt      time.Time // the program did not start: it is not tried again before

	waiting  []*Sandbox           // oldest first
	making   bool                 // one more sandbox is being made
	requests []time.Time          // the last ones, at most as many as the pool's capacity, oldest first
	tenants  map[string]time.Time // who requested one, and when last
}

// warm reports whether the kind's sandboxes have a program started in them.
func (k *kind) warm() bool { return k.program != nil }

// lastRequest is the time of the latest request.
func (k *kind) lastRequest() time.Time { return k.requests[len(k.requests)-1] }

// requestsSince counts the requests after that time.
func (k *kind) requestsSince(since time.Time) (n int) {
	for _, at := range k.requests {
		if at.After(since) {
			n++
		}
	}
	return n
}

// request notes a tenant's request for a sandbox, and returns its kind. p.mu must be held, as for all below.
func (p *Pool) request(cfg nsjail.Config, program *nsjail.Process, tenant string) *kind {
	key := fmt.Sprint(cfg.Root, cfg.Mounts, cfg.OpenDir, cfg.Loopback)
	if program != nil {
		key += fmt.Sprint(program.Args, program.Env, program.Rlimits, program.Resources)
	}
	k := p.kinds[key]
	if k == nil {
		k = &kind{cfg: cfg, program: program, tenants: map[string]time.Time{}}
		p.kinds[key] = k
	}
	if len(k.requests) == p.capacity {
		k.requests = k.requests[1:]
	}
	k.requests = append(k.requests, time.Now())
	k.tenants[tenant] = k.lastRequest()
	return k
}

// registered reports whether k is still one of the pool's kinds: expire may have removed it.
func (p *Pool) registered(k *kind) bool {
	for _, other := range p.kinds {
		if other == k {
			return true
		}
	}
	return false
}

// canGrow reports whether k may have one more sandbox: its program starts, and the memory for warm programs has room for it.
func (p *Pool) canGrow(k *kind) bool {
	bytes := k.programBytes
	for _, other := range p.kinds {
		bytes += other.programBytes * int64(len(other.waiting))
	}
	return !k.warm() || bytes <= p.warmBytes && time.Now().After(k.retryAt)
}

// pop takes the newest sandbox of k that is alive, nil if there is none. Dead ones are closed.
func (p *Pool) pop(k *kind) *Sandbox {
	for len(k.waiting) > 0 {
		last := len(k.waiting) - 1
		sb := k.waiting[last]
		k.waiting = k.waiting[:last]
		if sb.Alive() {
			return sb
		}
		p.tasks.Go(func() { sb.Close() })
	}
	return nil
}

// size is how many sandboxes wait or are being made.
func (p *Pool) size() (n int) {
	for _, k := range p.kinds {
		if n += len(k.waiting); k.making {
			n++
		}
	}
	return n
}
