// SPDX-License-Identifier: Apache-2.0

package slots

import "time"

// Budget bounds what runs at once, and the queue for it.
type Budget struct {
	First      int           // number of the first slot: numbers are unique on the host, see ClaimRange
	Slots      int           // jobs that run at once
	Memory     int64         // bytes: the running jobs' memory limits add up to no more
	Millicores int64         // the same for their CPU rates
	Pids       int64         // the same for their processes and threads
	Machine    int64         // millicores that the machine has: no job reserves more than that
	Share      int64         // percent, from 1 to 100, of what the other tenants leave of each of these, for one tenant
	Queue      int           // jobs that may wait
	Wait       time.Duration // how long each may wait
}

// Need is the part of the budget that a job reserves while it runs.
type Need struct {
	Tenant     string
	Memory     int64 // bytes
	Millicores int64
	Pids       int64 // processes and threads, including sandbox-init
}

// The resources of a Budget, and how many they are.
const (
	slots = iota
	memory
	millicores
	pids
	resources
)

// amounts says how much of each resource a job reserves.
func (n Need) amounts() [resources]int64 {
	return [resources]int64{slots: 1, memory: n.Memory, millicores: n.Millicores, pids: n.Pids}
}

// amounts says how much there is of each resource.
func (b Budget) amounts() [resources]int64 {
	return [resources]int64{slots: int64(b.Slots), memory: b.Memory, millicores: b.Millicores, pids: b.Pids}
}

// room reports whether there is enough for n now. p.mu must be held, as for all below.
func (p *Pool) room(n Need) bool {
	for i, amount := range n.amounts() {
		if p.usage[i].All()+amount > p.usage[i].Room() {
			return false
		}
	}
	return true
}

// mayHave reports whether n is within its tenant's share, or is the first job of a tenant that has none.
func (p *Pool) mayHave(n Need) bool {
	for i, amount := range n.amounts() {
		if have := p.usage[i].Held(n.Tenant); have > 0 && have+amount > p.usage[i].Part(n.Tenant) {
			return false
		}
	}
	return true
}

// account books n as reserved, or with sign -1 as given back.
func (p *Pool) account(n Need, sign int64) {
	for i, amount := range n.amounts() {
		p.usage[i].Add(n.Tenant, sign*amount)
	}
}

// dominantShare is a tenant's fraction of the resource of which its running jobs have most.
func (p *Pool) dominantShare(tenant string) float64 {
	largest := 0.0
	for _, t := range p.usage {
		largest = max(largest, float64(t.Held(tenant))/float64(max(t.Room(), 1)))
	}
	return largest
}
