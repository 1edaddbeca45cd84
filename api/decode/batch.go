// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxBatch bounds the jobs of a batch.
const maxBatch = 100

// Batch reads the body of a POST /v1/batch, {"jobs":[...]}, and notes its faults in iss. An issue names its job: it is one of
// the field "jobs". When there are any, no job is to be used.
func (t Terms) Batch(b Body, iss *Issues) []Submission {
	o := b.object(iss)
	if o == nil {
		return nil
	}
	o.only("jobs")
	raws := o.list("jobs", maxBatch)
	if len(raws) == 0 && !iss.Any() {
		iss.Field("jobs", "Array must contain at least 1 element(s)")
	}
	subs := make([]Submission, len(raws))
	for i, raw := range raws {
		path := fmt.Sprintf("[%d]", i)
		if k := kind(raw); k != "object" {
			iss.Field("jobs", path+": "+msgType("object", k))
			continue
		}
		subs[i] = t.item(raw, path, iss)
	}
	for i, sub := range subs {
		if t.Strict && sub.Ignored != nil {
			iss.Field("jobs", fmt.Sprintf("[%d]: %s", i, msgUnknown(sub.Ignored)))
		}
	}
	return subs
}

// item reads one job of a batch.
func (t Terms) item(raw json.RawMessage, path string, iss *Issues) Submission {
	own := NewIssues()
	o := &object{members: members(raw), iss: own}
	sub := o.submission(t)
	for _, m := range own.FormErrors {
		iss.Field("jobs", path+": "+m)
	}
	for name, messages := range own.FieldErrors {
		iss.Field("jobs", path+"."+name+": "+strings.Join(messages, "; "))
	}
	return sub
}
