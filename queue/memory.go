// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrFull means that Redis has too little memory left for another job. The admitted jobs go on.
var ErrFull = errors.New("redis has too little memory left")

const (
	// fullPercent of Redis's memory may be used before no more jobs are admitted. The rest is for the admitted ones.
	fullPercent = 85
	// memoryAge is how long the answer about Redis's memory is cached.
	memoryAge = time.Second
)

// Memory describes Redis's memory.
type Memory struct {
	Used   int64  // bytes that count towards Max
	Max    int64  // maxmemory, bytes; 0: no bound
	Policy string // maxmemory-policy: what happens at the bound; only "noeviction" loses no jobs
	Host   int64  // bytes of the machine's memory; 0: unknown
}

// Memory returns the state of Redis's memory.
func (q *Queue) Memory(ctx context.Context) (Memory, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	const what = "read the memory's state"
	cmd := redis.NewStringCmd(ctx, "info", "memory")
	if err := q.batch.do(ctx, cmd); err != nil {
		return Memory{}, q.explain(what, err)
	}
	return parseMemory(cmd.Val()), q.explain(what, cmd.Err())
}

// parseMemory reads the section memory of INFO: lines "name:value".
func parseMemory(info string) Memory {
	h := hash{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		h[name] = value
	}
	return Memory{Used: h.integer("used_memory") - h.integer("mem_not_counted_for_evict"), Max: h.integer("maxmemory"),
		Policy: h["maxmemory_policy"], Host: h.integer("total_system_memory")}
}

// Risk returns what is wrong with Redis's settings, and what to do; "" if nothing is.
func (m Memory) Risk() string {
	var risks []string
	if m.Max == 0 {
		risks = append(risks, "maxmemory is 0, so Redis may take all of its machine's memory: set it, with room for what the tenants may store")
	}
	if m.Policy != "noeviction" {
		risks = append(risks, fmt.Sprintf("maxmemory-policy is %q, so Redis deletes jobs and counts when its memory is full: set noeviction", m.Policy))
	}
	return strings.Join(risks, "; ")
}

// room returns how many more bytes may be stored; ok is false if no bound is known.
func (m Memory) room() (bytes int64, ok bool) {
	bound := m.Max
	if bound == 0 {
		bound = m.Host
	}
	return bound/100*fullPercent - m.Used, bound > 0
}

// Full reports whether jobs are refused for lack of memory.
func (m Memory) Full() bool {
	bytes, known := m.room()
	return known && bytes <= 0
}

// memory caches the latest Memory, so that not every submission asks for it.
type memory struct {
	asking sync.Mutex // held by the caller that asks; the others use the old answer

	mu   sync.Mutex // guards the rest
	last Memory
	at   time.Time
}

// room returns the argument of submit.lua: how many more bytes may be stored, or "" if unknown.
func (m *memory) room(ctx context.Context, q *Queue) string {
	m.mu.Lock()
	last, age := m.last, time.Since(m.at)
	m.mu.Unlock()
	if age > memoryAge && m.asking.TryLock() {
		defer m.asking.Unlock()
		if now, err := q.Memory(ctx); err == nil { // otherwise the submission itself will fail
			m.mu.Lock()
			m.last, m.at, last = now, time.Now(), now
			m.mu.Unlock()
		}
	}
	bytes, ok := last.room()
	if !ok {
		return ""
	}
	return strconv.FormatInt(bytes, 10)
}
