// SPDX-License-Identifier: Apache-2.0

package api

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/share"
)

// The bounds of the deliveries in flight. A receiver may take all of webhook.Timeout, so others must wait for as many as one tenant or one
// host may have at once.
const (
	maxDeliveries  = 24
	tenantPercent  = 33 // of those that other tenants leave, for one: see package share
	hostDeliveries = 2

	hostPause    = 10 * time.Second // after a host did not answer in time; doubled each further time
	hostPauseMax = 5 * time.Minute
	maxSlowHosts = 256 // that are remembered; beyond it those whose pause ends first are forgotten
)

// inFlight are the deliveries in flight, and the hosts that were slow.
type inFlight struct {
	changed chan struct{} // one has ended; holds one signal

	mu      sync.Mutex // guards all below
	tenants *share.Table
	hosts   map[string]int
	slow    map[string]slowHost
}

// slowHost is a host that did not answer in time, so many times in a row.
type slowHost struct {
	until time.Time
	times int
}

func newInFlight() *inFlight {
	return &inFlight{changed: make(chan struct{}, 1), tenants: share.New(maxDeliveries, tenantPercent), hosts: map[string]int{}, slow: map[string]slowHost{}}
}

func (d *inFlight) begin(tenant, host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tenants.Add(tenant, 1)
	d.hosts[host]++
}

func (d *inFlight) end(tenant, host string) {
	d.mu.Lock()
	d.tenants.Add(tenant, -1)
	if d.hosts[host]--; d.hosts[host] == 0 {
		delete(d.hosts, host)
	}
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// answered notes whether a host answered in time.
func (d *inFlight) answered(host string, inTime bool, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if inTime {
		delete(d.slow, host)
		return
	}
	s := d.slow[host]
	pause := min(hostPause<<min(s.times, 10), hostPauseMax)
	d.slow[host] = slowHost{until: now.Add(pause), times: s.times + 1}
	if len(d.slow) > maxSlowHosts {
		first := slices.MinFunc(slices.Collect(maps.Keys(d.slow)), func(a, b string) int { return d.slow[a].until.Compare(d.slow[b].until) })
		delete(d.slow, first)
	}
}

// busy returns the tenants and hosts that may have no more deliveries now.
func (d *inFlight) busy(now time.Time) queue.Busy {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := queue.Busy{Tenants: d.tenants.Full(), Hosts: map[string]time.Duration{}}
	for host, s := range d.slow {
		if left := s.until.Sub(now); left >= time.Millisecond {
			b.Hosts[host] = left
		}
	}
	for host, n := range d.hosts {
		if n >= hostDeliveries {
			b.Hosts[host] = 0
		}
	}
	return b
}
