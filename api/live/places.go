// SPDX-License-Identifier: Apache-2.0

package live

import "sync"

// The bounds of open streams. A stream costs a goroutine and a place in a table; Redis is asked only when something changed.
const (
	TenantStreams  = 100 // of one tenant
	ProcessStreams = 10_000
)

// Places counts the open streams. The zero value is ready for use.
type Places struct {
	mu  sync.Mutex // guards the rest
	of  map[string]int
	all int
}

// Take takes a place for a stream of a tenant and reports whether there was one. Each that was taken is given back by Give.
func (p *Places) Take(tenant string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[tenant] >= TenantStreams || p.all >= ProcessStreams {
		return false
	}
	if p.of == nil {
		p.of = map[string]int{}
	}
	p.of[tenant]++
	p.all++
	return true
}

// Give gives a place back.
func (p *Places) Give(tenant string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.of[tenant]--; p.of[tenant] == 0 {
		delete(p.of, tenant)
	}
}

// Taken returns how many streams are open.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}
