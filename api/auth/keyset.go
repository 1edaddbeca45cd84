// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a key set and of its fetches.
const (
	fetchTimeout = 5 * time.Second
	keysFresh    = 10 * time.Minute // age at which keys are fetched again
	keysStale    = 24 * time.Hour   // age up to which keys serve while fetches fail
	unknownPause = 30 * time.Second // between fetches for an unknown key: anybody can name one
	failedPause  = 2 * time.Second  // after a failed fetch
	maxKeySet    = 1 << 20          // bytes
	maxKeys      = 100
)

// keySet is the JSON Web Key Set (RFC 7517) of an identity provider, fetched on demand. doc.go says why it is not a library's.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	fetched  time.Time     // when keys were fetched
	tried    time.Time     // when the last fetch ended
	failed   bool          // the last fetch failed
	fetching chan struct{} // closed when the present fetch ends; nil: there is none
}

func newKeySet(url string, client *http.Client) *keySet {
	return &keySet{url: url, client: client, now: time.Now}
}

// find returns the keys with that id, or all if the token names none. For an unknown key it fetches the set again, as providers rotate
// keys, but at most once in unknownPause. The error is a *Refusal, or ErrUnavailable.
func (s *keySet) find(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	for {
		s.mu.Lock()
		now := s.now()
		found, age := s.named(id), now.Sub(s.fetched)
		usable, fresh := len(found) > 0 && age < keysStale, age < keysFresh
		if s.fetching == nil && !(usable && fresh) && !s.resting(usable, now.Sub(s.tried)) {
			s.fetching = make(chan struct{})
			go s.fetch(s.fetching)
		}
		fetching, failed := s.fetching, s.failed
		s.mu.Unlock()
		switch {
		case usable: // while they are fetched again, these serve
			return found, nil
		case fetching != nil:
			select {
			case <-fetching:
			case <-ctx.Done():
				return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
			}
		case failed:
			return nil, ErrUnavailable
		default:
			return nil, &Refusal{InvalidJWT}
		}
	}
}

// resting reports whether it is too early for another fetch.
func (s *keySet) resting(usable bool, since time.Duration) bool {
	switch {
	case s.tried.IsZero():
		return false
	case s.failed:
		return since < failedPause
	default:
		return !usable && since < unknownPause
	}
}

// has reports whether there is a key with that id.
func (s *keySet) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.named(id)) > 0
}

// named returns the keys with that id; all if it is "".
func (s *keySet) named(id string) []jose.JSONWebKey {
	if id == "" {
		return s.keys
	}
	var found []jose.JSONWebKey
	for _, k := range s.keys {
		if k.KeyID == id {
			found = append(found, k)
		}
	}
	return found
}

// fetch fetches the keys. It has no request's context, as other requests wait for it too.
func (s *keySet) fetch(done chan struct{}) {
	keys, err := s.download()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.failed = s.now(), err != nil
	if err == nil {
		s.keys, s.fetched = keys, s.tried
	}
	s.fetching = nil
	close(done)
}

func (s *keySet) download() ([]jose.JSONWebKey, error) {
	resp, err := s.client.Get(s.url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", s.url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	return parseKeySet(body)
}

// parseKeySet returns the public keys for signatures. It skips others and those of unknown kinds, which a provider may have beside them.
func parseKeySet(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(body) > maxKeySet {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("the key set is not JSON: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && k.Valid() && k.IsPublic() && k.Use != "enc" && len(keys) < maxKeys {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the key set has no public key for signatures")
	}
	return keys, nil
}
