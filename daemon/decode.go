// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ccee-dev/ccee/job"
)

// decodeSpec decodes a Spec and validates it. Unknown members are ignored, as the caller may be newer; ignored is the first
// of them, "" for none. Its errors are *job.Error and name the member at fault.
func decodeSpec(b []byte) (_ job.Spec, ignored string, _ error) {
	// encoding/json would replace invalid bytes by U+FFFD, and run another program than the one that was sent.
	if !utf8.Valid(b) {
		return job.Spec{}, "", job.Errorf(job.EInvalid, "the body is not UTF-8: give a source file in another encoding as one of files")
	}
	spec, ignored, err := unmarshalSpec(b)
	if err != nil {
		return job.Spec{}, "", decodeError(b, err)
	}
	if job.LoneSurrogate(b) {
		return job.Spec{}, "", job.Errorf(job.EInvalid, "the body has half of a surrogate pair, such as \\ud800, which has no UTF-8")
	}
	if err := spec.Validate(); err != nil {
		return job.Spec{}, "", err
	}
	return spec, ignored, nil
}

// unmarshalSpec is json.Unmarshal, and returns the first unknown member.
func unmarshalSpec(b []byte) (spec job.Spec, ignored string, _ error) {
	strict := json.NewDecoder(bytes.NewReader(b))
	strict.DisallowUnknownFields()
	err := strict.Decode(&spec)
	if err == nil && len(bytes.TrimSpace(b[strict.InputOffset():])) == 0 {
		return spec, "", nil
	}
	spec = job.Spec{}
	lenient := json.Unmarshal(b, &spec)
	if name, ok := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); ok && lenient == nil {
		ignored, _ = strconv.Unquote(name)
	}
	return spec, ignored, lenient
}

// decodeError explains err in the words of JSON, not of Go. b is the body.
func decodeError(b []byte, err error) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return job.Errorf(job.EInvalid, "the body is empty: it must be a job, as a JSON object")
	case errors.As(err, &syntax):
		return job.Errorf(job.EInvalid, "the body is not JSON: byte %d: %v", syntax.Offset, syntax)
	case errors.As(err, &mistyped) && mistyped.Field == "":
		return job.Errorf(job.EInvalid, "the body is a JSON %s, it must be an object", mistyped.Value)
	case errors.As(err, &mistyped):
		return job.Invalid(mistyped.Field, "is a JSON %s, it must be %s", mistyped.Value, kindOf(mistyped))
	}
	// Only base64 is left, and the decoder's error does not name the member.
	if field := badBase64(b); field != "" {
		return job.Invalid(field, "is not base64")
	}
	return job.Errorf(job.EInvalid, "the body can't be read: %v", err)
}

// kindOf is the type of JSON that a member must have.
func kindOf(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.Kind().String(); kind {
	case "struct", "map":
		return "an object"
	case "slice":
		if e.Type.Elem().Kind().String() == "uint8" {
			return "a string of base64"
		}
		return "an array"
	case "bool":
		return "true or false"
	case "string":
		return "a string"
	default:
		return "a whole number"
	}
}

// badBase64 is the name of the member with invalid base64.
func badBase64(b []byte) string {
	var raw struct {
		Stdin json.RawMessage
		Files []struct{ Data json.RawMessage }
	}
	if json.Unmarshal(b, &raw) != nil {
		return ""
	}
	var data []byte
	if raw.Stdin != nil && json.Unmarshal(raw.Stdin, &data) != nil {
		return "stdin"
	}
	for i, f := range raw.Files {
		if f.Data != nil && json.Unmarshal(f.Data, &data) != nil {
			return fmt.Sprintf("files.%d.data", i)
		}
	}
	return ""
}
