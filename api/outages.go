package api

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// changes logs a fault when it begins and when it is over, and not each time that it is met. The zero value is for what is well.
type changes struct {
	mu   sync.Mutex
	away bool
}

// note logs begins with err if there was none the last time, and over if there is none any more.
func (c *changes) note(log *zerolog.Logger, err error, begins, over string) {
	c.mu.Lock()
	was := c.away
	c.away = err != nil
	c.mu.Unlock()
	switch {
	case err != nil && !was:
		log.Warn().Err(err).Msg(begins)
	case err == nil && was:
		log.Info().Msg(over)
	}
}

// archiveAge is how long a look at the archive is used again: anybody may ask.
const archiveAge = 2 * time.Second

// archiveLook knows whether the archive answers.
type archiveLook struct {
	mu   sync.Mutex // guards the rest; held while the archive is asked, so that one asks for all
	at   time.Time
	last error
}

// away says whether there is an archive that does not answer.
func (l *archiveLook) away(ctx context.Context, a Archive) bool {
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
