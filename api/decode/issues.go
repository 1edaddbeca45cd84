// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Issues collects all faults of a request, in the form and the words of the zod library (error.flatten()),
// which clients of the original show to people and some of them parse.
type Issues struct {
	FormErrors  []string            `json:"formErrors"`
	FieldErrors map[string][]string `json:"fieldErrors"`
}

// NewIssues returns an empty collection.
func NewIssues() *Issues { return &Issues{FormErrors: []string{}, FieldErrors: map[string][]string{}} }

// Form adds a fault of the body as a whole.
func (i *Issues) Form(message string) { i.FormErrors = append(i.FormErrors, message) }

// Field adds a fault of one top-level field.
func (i *Issues) Field(name, message string) {
	i.FieldErrors[name] = append(i.FieldErrors[name], message)
}

// Any reports whether there is a fault.
func (i *Issues) Any() bool { return len(i.FormErrors)+len(i.FieldErrors) > 0 }

// The message texts of zod 3.
const msgRequired = "Required"

// msgSurrogate is ours, too: the original replaced such halves by U+FFFD, and ran that program.
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

// Range is the whole numbers between two bounds, both allowed.
type Range struct{ Min, Max int64 }

// check returns the faults of v, of which there can be several.
func (r Range) check(v float64) []string {
	if math.IsNaN(v) {
		return []string{msgType("number", "nan")}
	}
	var wrong []string
	if v != math.Trunc(v) || math.IsInf(v, 0) {
		wrong = append(wrong, msgType("integer", "float"))
	}
	if v < float64(r.Min) {
		wrong = append(wrong, msgMin(r.Min))
	}
	if v > float64(r.Max) {
		wrong = append(wrong, msgMax(r.Max))
	}
	return wrong
}
