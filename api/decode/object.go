// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ccee-dev/ccee/job"
)

// object reads the members of one JSON object and notes their faults. A missing member and a faulty one both
// read as absent; the faulty one leaves an issue.
type object struct {
	members map[string]json.RawMessage
	iss     *Issues
	root    string // the top-level field that the object is in, "" when it is the body itself
	path    string // from root to the object, such as "[2]."
}

// Body is the body of a request.
type Body struct {
	// JSON is one valid JSON value in UTF-8; nil when there was no body, which counts as {}.
	JSON []byte
	// Text: the body was text/plain, so it is a string to the validation.
	Text bool
}

// object returns the object that a body is, or notes that it is something else and returns nil.
func (b Body) object(iss *Issues) *object {
	switch {
	case b.Text:
		iss.Form(msgType("object", "string"))
		return nil
	case b.JSON == nil || kind(b.JSON) == "null":
		return &object{iss: iss}
	case kind(b.JSON) != "object":
		iss.Form(msgType("object", kind(b.JSON)))
		return nil
	}
	return &object{members: members(b.JSON), iss: iss}
}

// members splits valid JSON that is an object. Names are taken as they are written, unlike by a Go struct, which would let
// LANGUAGE be language; of two of the same name the last one counts, as in JavaScript.
func members(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(fmt.Sprintf("members of JSON that was checked: %v", err))
	}
	return m
}

// kind is zod's word for the type of a JSON value.
func kind(raw json.RawMessage) string {
	for _, c := range raw {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '"':
			return "string"
		case '{':
			return "object"
		case '[':
			return "array"
		case 't', 'f':
			return "boolean"
		case 'n':
			return "null"
		}
		break
	}
	return "number"
}

// wrong notes a fault of the member called name.
func (o *object) wrong(name, message string) {
	if o.root == "" {
		o.iss.Field(name, message)
		return
	}
	o.iss.Field(o.root, o.path+name+": "+message)
}

// value returns the member called name if it has that kind.
func (o *object) value(name, want string) (json.RawMessage, bool) {
	raw, there := o.members[name]
	if !there {
		return nil, false
	}
	if k := kind(raw); k != want {
		o.wrong(name, msgType(want, k))
		return nil, false
	}
	if want == "string" && job.LoneSurrogate(raw) {
		o.wrong(name, msgSurrogate)
		return nil, false
	}
	return raw, true
}

// text returns a string. There is a difference between "" and no string.
func (o *object) text(name string) (string, bool) {
	raw, ok := o.value(name, "string")
	if !ok {
		return "", false
	}
	return text(raw), true
}

// text decodes valid JSON that is a string.
func text(raw json.RawMessage) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(fmt.Sprintf("string of JSON that was checked: %v", err))
	}
	return s
}

// integer returns a whole number within r.
func (o *object) integer(name string, r Range) (int64, bool) {
	raw, ok := o.value(name, "number")
	if !ok {
		return 0, false
	}
	// A number beyond float64 reads as infinity with an error, as from JSON.parse.
	v, _ := strconv.ParseFloat(string(raw), 64)
	wrong := r.check(v)
	for _, message := range wrong {
		o.wrong(name, message)
	}
	return int64(v), len(wrong) == 0
}

// flag returns a boolean, false when it is absent.
func (o *object) flag(name string) bool {
	raw, ok := o.value(name, "boolean")
	return ok && raw[0] == 't'
}

// list returns the elements of an array of at most max.
func (o *object) list(name string, max int) []json.RawMessage {
	raw, ok := o.value(name, "array")
	if !ok {
		return nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		panic(fmt.Sprintf("array of JSON that was checked: %v", err))
	}
	if len(elements) > max {
		o.wrong(name, msgMaxItems(max))
		return nil
	}
	return elements
}

// object returns the object in a member; nil when it is absent.
func (o *object) object(name string) *object {
	raw, ok := o.value(name, "object")
	if !ok {
		return nil
	}
	if o.root == "" {
		return &object{members: members(raw), iss: o.iss, root: name}
	}
	return &object{members: members(raw), iss: o.iss, root: o.root, path: o.path + name + "."}
}

// element returns the object that is element i of the array in a member.
func (o *object) element(name string, i int, raw json.RawMessage) *object {
	e := &object{members: members(raw), iss: o.iss, root: name, path: fmt.Sprintf("[%d].", i)}
	if o.root != "" {
		e.root, e.path = o.root, o.path+name+e.path
	}
	return e
}

// only notes unknown members. The objects that we added to the contract are strict, so a misspelled limit is
// an error; the body itself ignores unknown ones, as the contract says.
func (o *object) only(known ...string) {
	unknown := o.unknown(known)
	if unknown == nil {
		return
	}
	message := msgUnknown(unknown)
	if o.root == "" {
		o.iss.Form(message)
		return
	}
	if o.path != "" {
		message = o.path[:len(o.path)-1] + ": " + message
	}
	o.iss.Field(o.root, message)
}

// unknown returns the names of the members that are not known, in order.
func (o *object) unknown(known []string) []string {
	var names []string
	for name := range o.members {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// utf16Len is the length of s in UTF-16 code units: what JavaScript calls its length, and the contract its characters.
func utf16Len(s string) int {
	n := utf8.RuneCountInString(s)
	for i := range len(s) {
		if s[i] >= 0xF0 { // the first of four bytes: a code point beyond U+FFFF takes two units
			n++
		}
	}
	return n
}
