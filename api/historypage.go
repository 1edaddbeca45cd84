// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// The bounds of a page of a history with output.
const (
	maxPage    = 8 << 20 // bytes of its items, unless the first has more alone
	pageLooks  = 10      // jobs that are read in one round trip: each comes with SmallOutput at most
	pageFactor = 3       // bytes of memory for one byte of the answer: in the items, in the answer, compressed
)

// errPageFull ends a page before its last job.
var errPageFull = errors.New("the page is full")

// page is a page of the history in the making.
type page struct {
	s     *Server
	c     *call
	coded bool
	items []json.RawMessage
	bytes int
}

// fullPage shows the jobs of a page with their output, read in pieces, up to maxPage. The cursor is that of the page, or of the last job
// that found room.
func (s *Server) fullPage(c *call, of queue.Page, coded bool) ([]json.RawMessage, *string, error) {
	p := &page{s: s, c: c, coded: coded, items: []json.RawMessage{}}
	last := ""
	for jobs := range slices.Chunk(of.Jobs, pageLooks) {
		records, err := p.look(jobs)
		if err != nil {
			return nil, nil, err
		}
		for i, j := range jobs {
			switch err := p.add(j, records[j.ID]); {
			case errors.Is(err, errPageFull), errors.Is(err, errOverloaded) && len(p.items) > 0:
				return p.items, view.Text(last), nil
			case err != nil && !errors.Is(err, queue.ErrNotFound): // else it expired, or was deleted, meanwhile
				return nil, nil, err
			}
			last = jobs[i].Cursor()
		}
	}
	return p.items, view.Text(of.Next), nil
}

// look reads jobs from Redis, by id. Those that Redis does not have are left out.
func (p *page) look(jobs []queue.Record) (map[string]queue.Record, error) {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	ctx, cancel := p.c.redis()
	defer cancel()
	records, err := p.s.opts.Queue.Looks(ctx, ids)
	found := map[string]queue.Record{}
	for _, r := range records {
		if r.Tenant == p.c.who.Tenant {
			found[r.ID] = r
		}
	}
	return found, err
}

// add shows a job. rec is what Redis has of it, the zero Record when it is only in the archive.
func (p *page) add(j, rec queue.Record) error {
	var err error
	if rec.ID == "" {
		rec, err = p.s.orArchivedJob(p.c, j.ID, rec, queue.ErrNotFound)
	} else {
		rec, err = p.s.loadOutput(p.c, rec, nil)
	}
	if err != nil {
		return err
	}
	if rec.Result != nil {
		rec.Result.OutputFiles = nil // a job that is shown alone has them
	}
	item := encodeJSON(view.NewJob(rec, p.coded))
	bytes := p.bytes + len(item)
	if bytes > maxPage && len(p.items) > 0 {
		return errPageFull
	}
	p.c.answer.shrink(int64(bytes) * pageFactor) // the memory that making the item took is free again
	if !p.c.answer.grow(p.c.r.Context(), int64(bytes)*pageFactor) {
		return errOverloaded
	}
	p.items, p.bytes = append(p.items, item), bytes
	return nil
}
