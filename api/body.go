package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// body is what a POST brought along.
type body struct {
	// json is one valid JSON value; nil when there was no body, which counts as {}.
	json []byte
	// text: the body was text/plain, so it is a string to the validation.
	text bool
}

// The errors of reading a body, as the framework words them.
var (
	errMediaType = newFrameworkError(http.StatusUnsupportedMediaType, "FST_ERR_CTP_INVALID_MEDIA_TYPE",
		"Unsupported Media Type")
	errTooLarge = newFrameworkError(http.StatusRequestEntityTooLarge, "FST_ERR_CTP_BODY_TOO_LARGE",
		"Request body is too large")
	errEmptyJSON = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_EMPTY_JSON_BODY",
		"Body cannot be empty when content-type is set to 'application/json'")
	errBadJSON = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_INVALID_JSON_BODY",
		"Body is not valid JSON but content-type is set to 'application/json'")
	errLength = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_INVALID_CONTENT_LENGTH",
		"Request body size did not match Content-Length")
)

// readBody reads the body of a POST. It runs before authentication, as the contract says, so maxBody is what an unknown
// caller can make us hold.
func readBody(w http.ResponseWriter, r *http.Request) (body, *frameworkError) {
	kinds := r.Header["Content-Type"]
	if len(kinds) == 0 {
		if r.ContentLength == 0 && len(r.TransferEncoding) == 0 {
			return body{}, nil
		}
		return body{}, errMediaType
	}
	kind, _, err := mime.ParseMediaType(kinds[0])
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return body{}, errMediaType
	}
	if kind != "application/json" && kind != "text/plain" {
		return body{}, errMediaType
	}
	if r.ContentLength > maxBody {
		return body{}, errTooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return body{}, errTooLarge
	case err != nil:
		return body{}, errLength
	case kind == "text/plain":
		return body{text: true}, nil
	case len(data) == 0:
		return body{}, errEmptyJSON
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !json.Valid(data) {
		return body{}, errBadJSON
	}
	return body{json: data}, nil
}
