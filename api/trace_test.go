package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var uuidV4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestTraceID(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		in   []string
		want string // "" for a UUID v4
	}{
		{nil, ""}, {[]string{""}, ""}, {[]string{"short"}, ""}, {[]string{"1234567"}, ""}, {[]string{"12345678"}, "12345678"},
		{[]string{"my trace!!id"}, "my_trace__id"}, {[]string{"  a/b:c.d_e-f  "}, "a/b:c.d_e-f"},
		{[]string{"first-value", "second-value"}, "first-value"}, {[]string{long}, long[:128]},
		{[]string{"traceé-id"}, "trace_-id"}, {[]string{"new\r\nline-id"}, "new__line-id"},
	} {
		got := traceID(http.Header{"X-Request-Id": tt.in})
		if got != tt.want && !(tt.want == "" && uuidV4.MatchString(got)) {
			t.Errorf("traceID(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
