package api

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// msgQuery is ours.
const msgQuery = "Invalid query: write it as name=value, percent-encoded, with & between two"

// query is the query of a request.
type query struct {
	url.Values
	broken []string // names of those that can't be read
}

// query reads the query. net/url leaves out what it can't read, so that a limit or a filter would silently not be in force; here
// it stays as it is written, as in the original, and broken names it. A semicolon is no separator, but some take it for one.
func (c *call) query() query {
	q := query{Values: url.Values{}}
	for pair := range strings.SplitSeq(c.r.URL.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, readable := unescapeQuery(name)
		value, alsoReadable := unescapeQuery(value)
		q.Add(name, value)
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

// text returns a parameter that is a text, "" when it isn't there. One that is there twice would be two filters, of which one holds.
func (q query) text(name string, iss *issues) string {
	if len(q.Values[name]) > 1 {
		iss.field(name, msgType("string", "array"))
	}
	return q.Get(name)
}

// check notes what can't be read and was not found wrong already.
func (q query) check(iss *issues) {
	for _, name := range q.broken {
		if len(iss.FieldErrors[name]) == 0 {
			iss.field(name, msgQuery)
		}
	}
}
