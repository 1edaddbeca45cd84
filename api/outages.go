// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// outageLog logs an outage when it begins and when it ends, and not each time that it is noticed. The zero value stands for no outage.
type outageLog struct {
	mu   sync.Mutex
	down bool
}

// note logs the text begins, with err, if there was no error the last time, and the text over if there is none any more.
func (o *outageLog) note(log *zerolog.Logger, err error, begins, over string) {
	o.mu.Lock()
	was := o.down
	o.down = err != nil
	o.mu.Unlock()
	switch {
	case err != nil && !was:
		log.Warn().Err(err).Msg(begins)
	case err == nil && was:
		log.Info().Msg(over)
	}
}

// archiveAge is how long the last answer of the archive is used again: anybody may ask.
const archiveAge = 2 * time.Second

// archiveHealth knows whether the archive answers.
type archiveHealth struct {
	mu   sync.Mutex // guards the rest; held while the archive is asked, so that one asks for all
	at   time.Time
	last error
}

// unreachable reports whether there is an archive that does not answer.
func (l *archiveHealth) unreachable(ctx context.Context, a Archive) bool {
	if a == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) >= archiveAge {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
		defer cancel()
		l.last, l.at = a.Ping(bounded), time.Now()
	}
	return l.last != nil
}
