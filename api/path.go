// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// kept are the escapes that the router must not see decoded: a slash within a path element is not one between two elements, and
// a percent sign may itself be part of an escape.
var kept = regexp.MustCompile(`(?i)%2f|%25`)

// forRouter returns r with the path by which the router finds its route: an encoded slash stays encoded.
func forRouter(r *http.Request) *http.Request {
	if r.URL.RawPath == "" || !kept.MatchString(r.URL.RawPath) {
		return r
	}
	var path strings.Builder
	rest := r.URL.RawPath
	for at := kept.FindStringIndex(rest); at != nil; at = kept.FindStringIndex(rest) {
		decoded, _ := url.PathUnescape(rest[:at[0]]) // RawPath is well-formed
		path.WriteString(decoded + rest[at[0]:at[1]])
		rest = rest[at[1]:]
	}
	decoded, _ := url.PathUnescape(rest)
	path.WriteString(decoded)
	routed, target := *r, *r.URL
	target.Path = path.String()
	routed.URL = &target
	return &routed
}

// elements decodes the escapes that forRouter left in a route's parameters.
func elements(r *http.Request, params httprouter.Params) httprouter.Params {
	if r.URL.RawPath == "" || !kept.MatchString(r.URL.RawPath) {
		return params
	}
	whole := make(httprouter.Params, len(params))
	for i, p := range params {
		whole[i] = httprouter.Param{Key: p.Key, Value: decodeKept.Replace(p.Value)}
	}
	return whole
}

var decodeKept = strings.NewReplacer("%2f", "/", "%2F", "/", "%25", "%")
