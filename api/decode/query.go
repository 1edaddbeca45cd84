// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Messages that the original does not have.
const (
	msgQuery  = "Invalid query: write it as name=value, percent-encoded, with & between two"
	msgCursor = "Invalid cursor: give back the nextCursor of an answer as it is"
)

// Query reads the parameters of a request's query and notes their faults.
type Query struct {
	values url.Values
	broken []string // names of those that can't be read
	iss    *Issues
}

// ParseQuery reads a query as it stands in a URL; iss gets the faults of its parameters. net/url drops parameters that it can't read,
// so that a limit or a filter would silently not apply; here they stay as written, as in the original, and Check notes them. A semicolon is
// no separator, but some take it for one.
func ParseQuery(raw string, iss *Issues) *Query {
	q := &Query{values: url.Values{}, iss: iss}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, readable := unescapeQuery(name)
		value, alsoReadable := unescapeQuery(value)
		q.values.Add(name, value)
		if !readable || !alsoReadable || strings.Contains(pair, ";") {
			q.broken = append(q.broken, name)
		}
	}
	return q
}

// unescapeQuery decodes s; what can't be decoded, or is not UTF-8 then, stays as it is.
func unescapeQuery(s string) (text string, readable bool) {
	text, err := url.QueryUnescape(s)
	if err != nil || !utf8.ValidString(text) {
		return s, false
	}
	return text, true
}

// Has reports whether a parameter is there.
func (q *Query) Has(name string) bool { return q.values.Has(name) }

// Get returns a parameter, the first of several, "" when it isn't there.
func (q *Query) Get(name string) string { return q.values.Get(name) }

// Wrong notes a fault of a parameter that the caller found.
func (q *Query) Wrong(name, message string) { q.iss.Field(name, message) }

// WrongCursor notes a cursor that is none of ours.
func (q *Query) WrongCursor() { q.iss.Field("cursor", msgCursor) }

// Check notes each parameter that can't be read and that has no other fault. It is called when all others were read.
func (q *Query) Check() {
	for _, name := range q.broken {
		if len(q.iss.FieldErrors[name]) == 0 {
			q.iss.Field(name, msgQuery)
		}
	}
}

// Text reads a text, "" when it isn't there. One that is there twice would be two filters, of which one holds.
func (q *Query) Text(name string) string {
	if len(q.values[name]) > 1 {
		q.iss.Field(name, msgType("string", "array"))
	}
	return q.values.Get(name)
}

// Int reads a number, absent when it isn't there. A parameter that is there twice is no number.
func (q *Query) Int(name string, absent int64, r Range) int64 {
	values, there := q.values[name]
	if !there {
		return absent
	}
	v := math.NaN()
	if len(values) == 1 {
		v = jsNumber(values[0])
	}
	for _, message := range r.check(v) {
		q.iss.Field(name, message)
	}
	return int64(v)
}

// Enum reads one of several words, "" when it isn't there.
func (q *Query) Enum(name string, options ...string) string {
	values, there := q.values[name]
	if !there {
		return ""
	}
	v := strings.Join(values, ",")
	if !slices.Contains(options, v) {
		q.iss.Field(name, msgEnum(options, v))
	}
	return v
}

// Flag reads 0 or 1, false when it isn't there.
func (q *Query) Flag(name string) bool { return q.Enum(name, "0", "1") == "1" }

// Time reads a time of RFC 3339, the zero time when it isn't there.
func (q *Query) Time(name string) time.Time {
	values, there := q.values[name]
	if !there {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, values[0])
	if len(values) != 1 || err != nil || t.Year() < 1970 || t.Year() > 9999 {
		q.iss.Field(name, "Invalid datetime: write it like 2026-01-31T23:59:59Z")
	}
	return t
}
