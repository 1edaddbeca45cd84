// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// shape is the allowed form of a JSON value: the shape of each member's value. An array has the shape of its elements, a
// plain value has none.
type shape map[string]shape

func policyShape() shape {
	condition := shape{"caps": nil, "arches": nil, "minKernel": nil}
	return shape{
		"defaultAction": nil, "defaultErrnoRet": nil, "architectures": nil, "flags": nil,
		"archMap": {"architecture": nil, "subArchitectures": nil},
		"syscalls": {
			"names": nil, "name": nil, "action": nil, "errnoRet": nil, "comment": nil,
			"args":     {"index": nil, "value": nil, "valueTwo": nil, "op": nil},
			"includes": condition, "excludes": condition,
		},
	}
}

// decode reads the JSON of a policy without validating it.
func decode(data []byte) (*Policy, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("more than %d bytes", maxSize)
	}
	var p *Policy
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, explainJSON(data, err)
	}
	if p == nil {
		return nil, errors.New("null where a policy object belongs")
	}
	// encoding/json takes the last of two equal members and matches names in any case. A reviewer may see another one than
	// the one that counts, so both are refused.
	if err := checkMembers(json.NewDecoder(bytes.NewReader(data)), "", policyShape()); err != nil {
		return nil, err
	}
	return p, nil
}

// checkMembers reads one value, which is valid JSON, and refuses unknown and repeated members.
func checkMembers(dec *json.Decoder, path string, s shape) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if err := checkMembers(dec, fmt.Sprintf("%s[%d]", path, i), s); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if err := checkObject(dec, path, s); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = dec.Token() // the closing delimiter
	return err
}

func checkObject(dec *json.Decoder, path string, s shape) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // in an object, More and Token give a name
		inner, known := s[name]
		if !known {
			return fmt.Errorf("%sunknown member %q%s", at(path), name, hint(name, keys(s)))
		}
		if seen[name] {
			return fmt.Errorf("%smember %q is there twice", at(path), name)
		}
		seen[name] = true
		if err := checkMembers(dec, join(path, name), inner); err != nil {
			return err
		}
	}
	return nil
}

func keys(s shape) []string {
	list := make([]string, 0, len(s))
	for k := range s {
		list = append(list, k)
	}
	return list
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// explainJSON says in which line the JSON is wrong, and doesn't name Go types.
func explainJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", line(data, syntax.Offset), err)
	case errors.As(err, &mismatch):
		return fmt.Errorf("line %d: %s%s where %s belongs", line(data, mismatch.Offset), at(mismatch.Field), mismatch.Value,
			jsonWord(mismatch.Type.Kind()))
	}
	return err
}

func jsonWord(k reflect.Kind) string {
	switch k {
	case reflect.Struct, reflect.Pointer:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Uint16:
		return "a number from 0 to 65535"
	}
	return "a number, not negative,"
}

func line(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
}
