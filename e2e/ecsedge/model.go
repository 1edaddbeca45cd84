// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Model is AWS's description of one of its APIs, in the form in which botocore has it (service-2.json).
type Model struct {
	Operations map[string]struct {
		Input, Output struct{ Shape string }
		Errors        []struct{ Shape string }
	}
	Shapes map[string]shape
}

type shape struct {
	Type     string
	Members  map[string]struct{ Shape string }
	Required []string
	Enum     []string
	Min, Max *float64
	Member   struct{ Shape string }
	Key      struct{ Shape string }
	Value    struct{ Shape string }
}

// OpenModel reads the model of a service, such as "ecs", from the botocore that Python finds on this machine.
func OpenModel(service string) (*Model, error) {
	out, err := exec.Command("python3", "-c", "import botocore; print(botocore.__path__[0])").Output()
	if err != nil {
		return nil, fmt.Errorf("find botocore with python3: %w", err)
	}
	pattern := filepath.Join(strings.TrimSpace(string(out)), "data", service, "*", "service-2.json*")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no model of %s: %s (%v)", service, pattern, err)
	}
	f, err := os.Open(slices.Max(found)) // the newest version of the API
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	m := &Model{}
	if err := json.NewDecoder(z).Decode(m); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return m, nil
}

// Request is an error that says what in the body of a request is not as the model has it, or nil.
func (m *Model) Request(operation string, body []byte) error {
	op, ok := m.Operations[operation]
	if !ok {
		return fmt.Errorf("the API has no operation %q", operation)
	}
	return m.check(op.Input.Shape, body)
}

// Answer is Request for the body of a successful answer.
func (m *Model) Answer(operation string, body []byte) error {
	return m.check(m.Operations[operation].Output.Shape, body)
}

// Refusal checks that an operation can be refused with that exception. Throttling is said of all operations, not of each.
func (m *Model) Refusal(operation, exception string) error {
	for _, e := range m.Operations[operation].Errors {
		if e.Shape == exception {
			return nil
		}
	}
	if exception == throttling {
		return nil
	}
	return fmt.Errorf("%s has no exception %s", operation, exception)
}

func (m *Model) check(name string, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if wrong := m.compare(name, v, name); len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// compare lists how v differs from the shape of that name; at is its place, for people.
func (m *Model) compare(name string, v any, at string) (wrong []string) {
	s, ok := m.Shapes[name]
	if !ok {
		return []string{at + ": the model has no shape " + name}
	}
	switch s.Type {
	case "structure":
		return m.structure(s, v, at)
	case "list":
		list, ok := v.([]any)
		if !ok {
			return []string{kind(at, "a list", v)}
		}
		for i, e := range list {
			wrong = append(wrong, m.compare(s.Member.Shape, e, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return append(wrong, s.bounds(float64(len(list)), at)...)
	case "map":
		object, ok := v.(map[string]any)
		if !ok {
			return []string{kind(at, "a map", v)}
		}
		for k, e := range object {
			wrong = append(wrong, m.compare(s.Value.Shape, e, at+"["+k+"]")...)
		}
		return wrong
	case "string":
		text, ok := v.(string)
		switch {
		case !ok:
			return []string{kind(at, "a string", v)}
		case s.Enum != nil && !slices.Contains(s.Enum, text):
			return []string{fmt.Sprintf("%s: %q is none of %s", at, text, strings.Join(s.Enum, ", "))}
		}
		return s.bounds(float64(utf8.RuneCountInString(text)), at)
	case "blob":
		text, ok := v.(string)
		if _, err := base64.StdEncoding.DecodeString(text); !ok || err != nil {
			return []string{kind(at, "base64", v)}
		}
		return nil
	case "boolean":
		if _, ok := v.(bool); !ok {
			return []string{kind(at, "true or false", v)}
		}
		return nil
	}
	return s.number(v, at)
}

func (m *Model) structure(s shape, v any, at string) (wrong []string) {
	object, ok := v.(map[string]any)
	if !ok {
		return []string{kind(at, "an object", v)}
	}
	for _, r := range s.Required {
		if _, ok := object[r]; !ok {
			wrong = append(wrong, at+": "+r+" is missing")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(object)) {
		member, ok := s.Members[k]
		switch {
		case !ok:
			wrong = append(wrong, at+": unknown member "+k)
		case object[k] != nil: // null is as if it weren't there
			wrong = append(wrong, m.compare(member.Shape, object[k], at+"."+k)...)
		}
	}
	return wrong
}

// number is compare for integer, long, float, double and timestamp; protocol JSON 1.1 has times in seconds.
func (s shape) number(v any, at string) []string {
	n, ok := v.(float64)
	if !ok {
		return []string{kind(at, "a number", v)}
	}
	if (s.Type == "integer" || s.Type == "long") && n != float64(int64(n)) {
		return []string{kind(at, "a whole number", v)}
	}
	return s.bounds(n, at)
}

func (s shape) bounds(n float64, at string) []string {
	if (s.Min != nil && n < *s.Min) || (s.Max != nil && n > *s.Max) {
		return []string{fmt.Sprintf("%s: %v is out of bounds", at, n)}
	}
	return nil
}

func kind(at, want string, v any) string { return fmt.Sprintf("%s: %T, want %s", at, v, want) }
