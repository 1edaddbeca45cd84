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

// The bounds of fetching a key set.
const (
	fetchTimeout = 5 * time.Second
	keysFresh    = 10 * time.Minute // then they are fetched anew
	keysStale    = 24 * time.Hour   // while that fails the old ones serve, for so long
	unknownPause = 30 * time.Second // between fetches because of a key that is not there: anybody can name one
	failedPause  = 2 * time.Second  // between fetches that failed
	maxKeySet    = 1 << 20          // bytes
	maxKeys      = 100
)

// keySet is the JSON Web Key Set (RFC 7517) of an identity provider, fetched when it is needed.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	fetched  time.Time     // when keys came
	tried    time.Time     // when the last fetch ended
	failed   bool          // it brought nothing
	fetching chan struct{} // closed at the end of the fetch that is under way; nil: there is none
}

func newKeySet(url string, client *http.Client) *keySet {
	return &keySet{url: url, client: client, now: time.Now}
}

// find returns the keys with that id, or all when the token names none. A key that is not there makes the set be fetched anew, as
// providers exchange their keys; not more often than every unknownPause. The error is a *Refusal, or ErrUnavailable.
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
		case usable: // if they are old, the next request has the new ones
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

// resting says whether it is too early to fetch again.
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

// has reports whether there is a key with that id now.
func (s *keySet) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.named(id)) > 0
}

// named returns the keys with that id; all, if it is "".
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

// fetch is not under the context of the request that needs it: others wait for it too.
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

// parseKeySet reads the public keys for signatures. Others, and those of kinds that are not known, are left out: a provider may
// have them beside the good ones.
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
