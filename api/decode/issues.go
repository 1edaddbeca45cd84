package api

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
)

// issues collects everything that is wrong with a request, in the form and the words of the zod library (error.flatten()),
// which clients of the original show to people and some of them parse.
type issues struct {
	FormErrors  []string            `json:"formErrors"`
	FieldErrors map[string][]string `json:"fieldErrors"`
}

func newIssues() *issues { return &issues{FormErrors: []string{}, FieldErrors: map[string][]string{}} }

// form adds a fault of the body as a whole.
func (i *issues) form(message string) { i.FormErrors = append(i.FormErrors, message) }

// field adds a fault of one top-level field.
func (i *issues) field(name, message string) {
	i.FieldErrors[name] = append(i.FieldErrors[name], message)
}

// any reports whether something was wrong.
func (i *issues) any() bool { return len(i.FormErrors)+len(i.FieldErrors) > 0 }

// The message texts of zod 3.
const msgRequired = "Required"

// msgCursor is ours.
const msgCursor = "Invalid cursor: give back the nextCursor of an answer as it is"

// msgSurrogate is ours too: the original put U+FFFD in the place of what can't be said in UTF-8, and ran that.
const msgSurrogate = "String must be well-formed: it has half of a surrogate pair, such as \\ud800"

func msgType(want, got string) string { return fmt.Sprintf("Expected %s, received %s", want, got) }
func msgMin(n int64) string           { return fmt.Sprintf("Number must be greater than or equal to %d", n) }
func msgMax(n int64) string           { return fmt.Sprintf("Number must be less than or equal to %d", n) }
func msgMinChars(n int) string        { return fmt.Sprintf("String must contain at least %d character(s)", n) }
func msgMaxChars(n int) string        { return fmt.Sprintf("String must contain at most %d character(s)", n) }
func msgMaxItems(n int) string        { return fmt.Sprintf("Array must contain at most %d element(s)", n) }

func msgEnum(options []string, got string) string {
	return fmt.Sprintf("Invalid enum value. Expected %s, received '%s'", quoteAll(options, " | "), got)
}

func msgUnknown(names []string) string {
	return "Unrecognized key(s) in object: " + quoteAll(names, ", ")
}

func quoteAll(names []string, sep string) string {
	quoted := slices.Clone(names)
	for i, n := range quoted {
		quoted[i] = "'" + n + "'"
	}
	return strings.Join(quoted, sep)
}

// intRange is a whole number between two bounds, both allowed.
type intRange struct{ min, max int64 }

// check returns what is wrong with v; several things can be.
func (r intRange) check(v float64) []string {
	if math.IsNaN(v) {
		return []string{msgType("number", "nan")}
	}
	var wrong []string
	if v != math.Trunc(v) || math.IsInf(v, 0) {
		wrong = append(wrong, msgType("integer", "float"))
	}
	if v < float64(r.min) {
		wrong = append(wrong, msgMin(r.min))
	}
	if v > float64(r.max) {
		wrong = append(wrong, msgMax(r.max))
	}
	return wrong
}

// queryInt reads a number from the query, def when it isn't there. A parameter that is there twice is no number.
func queryInt(q url.Values, name string, def int64, r intRange, iss *issues) int64 {
	values, there := q[name]
	if !there {
		return def
	}
	v := math.NaN()
	if len(values) == 1 {
		v = jsNumber(values[0])
	}
	for _, message := range r.check(v) {
		iss.field(name, message)
	}
	return int64(v)
}

// queryEnum reads a word from the query, "" when it isn't there.
func queryEnum(q url.Values, name string, options []string, iss *issues) string {
	values, there := q[name]
	if !there {
		return ""
	}
	v := strings.Join(values, ",")
	if !slices.Contains(options, v) {
		iss.field(name, msgEnum(options, v))
	}
	return v
}
