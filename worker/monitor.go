package worker

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
)

// How often a worker looks at its backend, and how long it waits for an answer.
const (
	lookEvery = 2 * time.Second
	lookTime  = 5 * time.Second
)

// errUnseen is the state of a backend that has not been asked yet, or that has failed a job since.
var errUnseen = errors.New("it has not been asked yet")

// watched is a backend and what it could do when it was last asked. Jobs are taken only while it can run them, so that its outage costs
// them nothing.
type watched struct {
	Backend
	doubts  chan struct{} // holds one signal
	metrics *metrics
	pause   backoff // while it is away; of the one goroutine that calls look and rest

	mu     sync.Mutex // guards the rest
	now    state
	logged string // why it was not ready, when that was last logged
}

// state is what a backend can do. It is never changed once it is made.
type state struct {
	err       error // why it can run nothing
	languages []job.Language
	names     []string
	over      context.Context // ends when this is no longer so
	end       context.CancelFunc
}

func newWatched(b Backend, m *metrics) *watched {
	w := &watched{Backend: b, doubts: make(chan struct{}, 1), metrics: m, logged: errUnseen.Error()}
	w.now = newState(nil, errUnseen)
	return w
}

func newState(languages []job.Language, err error) state {
	s := state{err: err, languages: languages}
	for _, l := range languages {
		s.names = append(s.names, l.Name)
	}
	s.over, s.end = context.WithCancel(context.Background())
	return s
}

func (w *watched) current() state {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// look asks the backend, and reports whether what is to be announced has changed.
func (w *watched) look(ctx context.Context, log zerolog.Logger) (changed bool) {
	bounded, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err := w.Ready(bounded)
	var languages []job.Language
	if err == nil {
		languages, err = w.Languages(bounded)
	}
	if err == nil && len(languages) == 0 {
		err = errors.New("it has no languages")
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		languages = nil
	}
	return w.set(newState(languages, err), log)
}

// set makes next the current state. It logs what changed, and nothing twice.
func (w *watched) set(next state, log zerolog.Logger) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed = errors.Is(w.now.err, errUnseen) || !reflect.DeepEqual(w.now.languages, next.languages)
	was := w.logged
	switch {
	case next.err != nil:
		if w.logged = next.err.Error(); w.logged != was {
			log.Warn().Err(next.err).Msg("the backend is not ready: no jobs are taken until it is")
		}
	default:
		if w.logged = ""; was != "" || changed && w.now.err == nil {
			log.Info().Strs("languages", next.names).Msg("backend ready")
		}
	}
	if w.metrics != nil {
		w.metrics.backendReady.Set(map[bool]float64{true: 1}[next.err == nil])
	}
	if changed || (w.now.err == nil) != (next.err == nil) {
		w.now.end()
		w.now = next
	}
	return changed
}

// rest returns when it is time to look again.
func (w *watched) rest(ctx context.Context) {
	if w.current().err != nil {
		bounded, cancel := context.WithTimeout(ctx, lookEvery)
		defer cancel()
		w.pause.wait(bounded)
		return
	}
	w.pause = backoff{}
	t := time.NewTimer(lookEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-w.doubts:
	case <-t.C:
	}
}

// doubt says that the backend failed a job in a way that makes it likely that it would fail others: none is taken until it was asked.
func (w *watched) doubt() {
	w.mu.Lock()
	if w.now.err == nil {
		w.now.end()
		w.now = newState(w.now.languages, errUnseen)
	}
	w.mu.Unlock()
	select {
	case w.doubts <- struct{}{}:
	default:
	}
}

// ready waits until the backend can run jobs, and returns its state; false when ctx ended.
func (w *watched) ready(ctx context.Context) (state, bool) {
	for {
		s := w.current()
		if ctx.Err() != nil {
			return s, false
		}
		if s.err == nil {
			return s, true
		}
		select {
		case <-ctx.Done():
		case <-s.over.Done():
		}
	}
}
