// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"encoding/json"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/ccee-dev/ccee/queue"
)

// storedJSON is the encoding of a stored job: readable where possible, lossless always.
type storedJSON struct {
	Text   map[string]string `json:"text"`
	Base64 map[string][]byte `json:"base64,omitempty"` // what is not UTF-8
}

// secrets are fields that never leave Redis. A webhook without its secret is no webhook.
var secrets = map[string]bool{"webhookSecret": true, "webhookUrl": true}

func encode(s queue.Stored) ([]byte, error) {
	w := storedJSON{Text: map[string]string{}}
	for name, v := range s {
		switch {
		case secrets[name]:
		case utf8.ValidString(v):
			w.Text[name] = v
		default:
			if w.Base64 == nil {
				w.Base64 = map[string][]byte{}
			}
			w.Base64[name] = []byte(v)
		}
	}
	b, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode job %s: %w", s["jobId"], err)
	}
	return b, nil
}

func decode(b []byte) (queue.Stored, error) {
	var w storedJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("decode an archived job: %w", err)
	}
	s := make(queue.Stored, len(w.Text)+len(w.Base64))
	maps.Copy(s, w.Text)
	for name, v := range w.Base64 {
		s[name] = string(v)
	}
	return s, nil
}
