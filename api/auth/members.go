// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// unknownMember is the error of a member that nobody reads: a misspelt quota would be the default, and nobody would see it.
type unknownMember struct {
	name  string
	known []string
}

func (e *unknownMember) Error() string {
	last := len(e.known) - 1
	return fmt.Sprintf("there is no member %q: %s and %s are known", e.name, strings.Join(e.known[:last], ", "), e.known[last])
}

// strict is json.Unmarshal for settings: a member that is not known, also one in other letter case, is an *unknownMember.
func strict(raw []byte, into any) error {
	if err := checkMembers(raw, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("has something behind its closing brace")
	}
	return nil
}

// checkMembers looks for members of raw that t does not have. encoding/json takes names in any letter case, and so would take two for one.
// What is no JSON of that type is left to the decoder.
func checkMembers(raw []byte, t reflect.Type) error {
	switch {
	case t.Kind() == reflect.Map:
		return eachMember(raw, func(_ string, value json.RawMessage) error { return checkMembers(value, t.Elem()) })
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list)
		for _, value := range list {
			if err := checkMembers(value, t.Elem()); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		known, types := members(t)
		return eachMember(raw, func(name string, value json.RawMessage) error {
			i := slices.Index(known, name)
			if i < 0 {
				return &unknownMember{name, known}
			}
			return checkMembers(value, types[i])
		})
	}
	return nil
}

// eachMember calls f with the members of an object, in the order of their names.
func eachMember(raw []byte, f func(name string, value json.RawMessage) error) error {
	var object map[string]json.RawMessage
	_ = json.NewDecoder(bytes.NewReader(raw)).Decode(&object)
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := f(name, object[name]); err != nil {
			return err
		}
	}
	return nil
}

// members returns the names of a struct's members in JSON, with those of embedded structs, and their types.
func members(t reflect.Type) (names []string, types []reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names, types = append(names, name), append(types, f.Type)
		}
	}
	return names, types
}
