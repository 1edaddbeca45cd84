// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/json"
	"math"
	"strings"
)

// Count reads the member count of a body, absent when it isn't there.
func Count(b Body, absent int64, r Range, iss *Issues) int64 {
	o := b.object(iss)
	if o == nil {
		return absent
	}
	raw, there := o.members["count"]
	if !there {
		return absent
	}
	return o.coerced("count", raw, r)
}

// coerced reads a number as JavaScript's Number does, from a value of any kind.
func (o *object) coerced(name string, raw json.RawMessage, r Range) int64 {
	v := math.NaN()
	switch kind(raw) {
	case "number":
		v = jsNumber(strings.TrimSpace(string(raw)))
	case "string":
		v = jsNumber(text(raw))
	case "null":
		v = 0
	case "boolean":
		if v = 0; raw[0] == 't' {
			v = 1
		}
	}
	for _, message := range r.check(v) {
		o.wrong(name, message)
	}
	return int64(v)
}
