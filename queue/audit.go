// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"crypto/sha1" //nolint:gosec // see chain
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Event is an entry of the audit.
type Event struct {
	StreamID  string // its place in the tenant's trail, "<ms>-<n>"; set by Redis
	Timestamp time.Time
	Actor     string // api, worker or runner
	Action    string
	Tenant    string          // "" if unknown
	JobID     string          // "" for an event without a job
	Metadata  json.RawMessage // an object that has traceId

	Link Link
}

// Link chains an event to the one before it in the tenant's trail.
type Link struct {
	Seq, Prev, Hash string // number in the trail, hash of the event before, own hash
	Stamp           string // Timestamp in the form that was hashed
}

// Audit appends an event of the api that is not part of another step. metadata is encoded as JSON and must be an object.
func (q *Queue) Audit(ctx context.Context, tenant, action, jobID string, metadata any) error {
	b, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("encode the audit event %s: %w", action, err)
	}
	_, err = q.run(ctx, q.steps.audit, "audit "+action, tenant, "api", action, jobID, b)
	return err
}

// Events returns at most limit of a tenant's events before the stream id before ("": the newest), newest first.
func (q *Queue) Events(ctx context.Context, tenant, before string, limit int) ([]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	top := "+"
	if before != "" {
		top = previousID(before)
	}
	msgs, err := q.rdb.XRevRangeN(ctx, q.keys.auditTrail(tenant), top, "-", int64(limit)).Result()
	if err != nil {
		return nil, q.explain("read the audit of tenant "+tenant, err)
	}
	return eventsOf(msgs), nil
}

func eventsOf(msgs []redis.XMessage) []Event {
	events := make([]Event, len(msgs))
	for i, m := range msgs {
		h := make(hash, len(m.Values))
		for k, v := range m.Values {
			h[k] = text(v)
		}
		e := Event{StreamID: m.ID, Timestamp: h.time("timestamp"), Actor: h["actor"], Action: h["action"], Tenant: h["tenantId"],
			JobID: h["jobId"], Metadata: json.RawMessage(h["metadata"]), Link: Link{h["seq"], h["prev"], h["hash"], h["timestamp"]}}
		if !json.Valid(e.Metadata) {
			e.Metadata = json.RawMessage("{}") // damaged: Verify finds it
		}
		events[i] = e
	}
	return events
}

// chain returns the hash of an entry: over the hash of the entry before and all of its own fields, as audit in lib.lua does. It is SHA-1,
// the only hash that a script in Redis has. To change an entry takes another one with the same hash (a second preimage), which nobody can
// find; that two entries with one hash can be made together (a collision) is of no use, because the hash before is part of both.
func (e *Event) chain(metadata string) string {
	var b strings.Builder
	for _, f := range []string{e.Link.Prev, e.Link.Seq, e.Link.Stamp, e.Actor, e.Action, e.Tenant, e.JobID, metadata} {
		b.WriteString(strconv.Itoa(len(f)) + ":" + f)
	}
	sum := sha1.Sum([]byte(b.String())) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// Chain describes a verified audit trail.
type Chain struct {
	Events      int64
	First, Last int64  // sequence numbers; entries before First were trimmed
	Hash        string // of the last entry; as a later Anchor it proves that nothing up to it was changed
}

// Anchor is the number and the hash of an entry, noted earlier and elsewhere; the zero Anchor is none.
type Anchor struct {
	Number int64
	Hash   string
}

// verifyPage is how many entries Verify reads at once.
const verifyPage = 500

// Verify's errors wrap these if it could read the trail. Any other error means that nothing was verified.
var (
	ErrBroken  = errors.New("the audit trail was changed")
	ErrNoTrail = errors.New("there is no audit trail of that tenant")
)

// Verify reads a tenant's whole audit trail and verifies its hash chain. The error wraps ErrBroken if an entry was changed, removed or
// inserted, or the end was cut off. Without an anchor it can't notice that somebody wrote the whole trail again; with one, the anchor's
// entry, unless it was trimmed, must still have that hash.
func (q *Queue) Verify(ctx context.Context, tenant string, anchor Anchor) (Chain, error) {
	// The head first: entries that are written meanwhile come behind it.
	head, err := q.rdb.HMGet(ctx, q.keys.auditHead(tenant), "seq", "hash").Result()
	if err != nil {
		return Chain{}, q.explain("read the audit of tenant "+tenant, err)
	}
	seq, _ := strconv.ParseInt(text(head[0]), 10, 64)
	c, from, headSeen := Chain{}, "-", seq == 0
	for {
		msgs, err := q.rdb.XRangeN(ctx, q.keys.auditTrail(tenant), from, "+", verifyPage).Result()
		if err != nil {
			return c, q.explain("read the audit of tenant "+tenant, err)
		}
		for i, e := range eventsOf(msgs) {
			if err := c.add(&e, text(msgs[i].Values["metadata"])); err != nil {
				return c, err
			}
			if c.Last == seq {
				headSeen = c.Hash == text(head[1])
			}
			if c.Last == anchor.Number && c.Hash != anchor.Hash {
				return c, fmt.Errorf("%w: entry %d has hash %s, it had %s", ErrBroken, c.Last, c.Hash, anchor.Hash)
			}
			from = nextID(e.StreamID)
		}
		if len(msgs) < verifyPage {
			break
		}
	}
	if c.Events == 0 && seq == 0 {
		return c, anchor.missing()
	}
	if !headSeen {
		return c, fmt.Errorf("%w: its head is entry %d with hash %s, which is not in the trail", ErrBroken, seq, text(head[1]))
	}
	if anchor.Number > c.Last {
		return c, fmt.Errorf("%w: it ends with entry %d, there was one with number %d", ErrBroken, c.Last, anchor.Number)
	}
	return c, nil
}

// missing is the error of a trail without entries: with an anchor, there were some.
func (a Anchor) missing() error {
	if a.Number > 0 {
		return fmt.Errorf("%w: it has no entry, there was one with number %d", ErrBroken, a.Number)
	}
	return ErrNoTrail
}

// add verifies the next entry.
func (c *Chain) add(e *Event, metadata string) error {
	n, err := strconv.ParseInt(e.Link.Seq, 10, 64)
	switch {
	case err != nil || e.chain(metadata) != e.Link.Hash:
		return fmt.Errorf("%w: entry %s (number %s, %s) does not have the hash of its content", ErrBroken, e.StreamID, e.Link.Seq, e.Action)
	case c.Events > 0 && n != c.Last+1:
		return fmt.Errorf("%w: entry %s has number %d after %d", ErrBroken, e.StreamID, n, c.Last)
	case c.Events > 0 && e.Link.Prev != c.Hash, n == 1 && e.Link.Prev != "":
		return fmt.Errorf("%w: entry %s (number %d) does not follow the one before it", ErrBroken, e.StreamID, n)
	case c.Events == 0:
		c.First = n
	}
	c.Events, c.Last, c.Hash = c.Events+1, n, e.Link.Hash
	return nil
}
