// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/seccomp"
)

// NewDaemon makes a daemon under the policy in file, and keeps a copy of the file at kept ("": nowhere) once each language has run under
// it. If no daemon can serve under that policy, or a language fails under it that runs under the kept one, a daemon under the kept copy is
// returned, with a warning in its log and in its readiness: a bad file must not stop a host that works. Without a kept copy a language that
// fails is left out.
func NewDaemon(ctx context.Context, o daemon.Options, file, kept string) (*daemon.Server, error) {
	l := launch{o: o, file: file, kept: kept}
	l.old, _ = loadKept(kept)
	policy, err := Load(file)
	if err != nil {
		return l.serveKept(err)
	}
	l.o.Policy = policy
	srv, err := daemon.New(l.o)
	if err != nil {
		return l.serveKept(explain(policy, "the policy in "+file, err))
	}
	if file == "" {
		return srv, nil
	}
	return l.prove(ctx, srv)
}

// launch is the start of a daemon under a policy file.
type launch struct {
	o          daemon.Options
	file, kept string
	old        *seccomp.Policy // the kept one, nil if there is none
}

// isKept reports whether the policy is the kept one, so that there is no other to fall back to.
func (l *launch) isKept() bool {
	return l.old != nil && l.o.Policy != nil && l.old.Digest() == l.o.Policy.Digest()
}

// prove has each language run under the policy of srv, unless it is the kept one, for which that was done. It returns the daemon that is to
// serve.
func (l *launch) prove(ctx context.Context, srv *daemon.Server) (*daemon.Server, error) {
	var failed []failure
	if !l.isKept() {
		began := time.Now()
		var err error
		if failed, err = fails(ctx, srv, nil); err != nil {
			return nil, errors.Join(err, srv.Close())
		}
		l.o.Log.Info().Dur("took", time.Since(began)).Int("failed", len(failed)).Msg("the first program of each language was run under the policy")
	}
	if len(failed) == 0 {
		if err := keep(l.o.Policy, l.file, l.kept); err != nil {
			l.o.Log.Warn().Err(err).Msg("the daemon serves under the policy, but has no copy of it for the case that its file is damaged")
		}
		return srv, nil
	}
	if l.old != nil {
		if err := srv.Close(); err != nil {
			return nil, err
		}
		better, err := l.tryKept(ctx, failed)
		if better != nil || err != nil {
			return better, err
		}
		if srv, err = daemon.New(l.o); err != nil { // the languages fail under the kept one too: the policy is not the reason
			return nil, err
		}
	}
	for _, f := range failed {
		srv.LeaveOut(f.language, fmt.Sprintf("its first program fails under the policy in %s (see ccee seccomp check): %s", l.file, f.evidence))
	}
	return srv, nil
}

// tryKept returns a daemon under the kept policy if one of the languages that failed runs under that, else nil.
func (l *launch) tryKept(ctx context.Context, failed []failure) (*daemon.Server, error) {
	var names []string
	for _, f := range failed {
		names = append(names, fmt.Sprintf("%s (%s)", f.language.Name, f.evidence))
	}
	why := fmt.Errorf("not every language runs under it: %s", strings.Join(names, "; "))
	srv, err := l.fallback(why)
	if err != nil {
		return nil, nil //nolint:nilerr // the kept one can't serve at all: what runs under the new one is more
	}
	still, err := fails(ctx, srv, failed)
	switch {
	case err != nil:
		return nil, errors.Join(err, srv.Close())
	case len(still) < len(failed):
		l.logFallback(why)
		return srv, nil
	}
	return nil, srv.Close()
}

// serveKept is fallback with its line in the log.
func (l *launch) serveKept(err error) (*daemon.Server, error) {
	srv, failed := l.fallback(err)
	if failed == nil {
		l.logFallback(err)
	}
	return srv, failed
}

func (l *launch) logFallback(why error) {
	l.o.Log.Error().Err(why).Str("policy", l.file).Str("instead", l.kept).Str("digest", l.old.Digest()).
		Msg("no daemon can serve under the policy: the last one that worked is used; repair the file and restart the daemon")
}

// fallback returns a daemon under the kept policy. err is why none serves under the policy in the file, and is returned if there is no
// other.
func (l *launch) fallback(err error) (*daemon.Server, error) {
	if l.old == nil || l.isKept() {
		return nil, err
	}
	o := l.o
	o.Policy, o.PolicyFallback = l.old, true
	o.Warnings = append(slices.Clip(o.Warnings), fmt.Sprintf("no daemon can serve under the policy in %s, so this one serves under the last that worked: %v", l.file, err))
	srv, oldErr := daemon.New(o)
	if oldErr != nil {
		return nil, err // the policy is not the reason
	}
	return srv, nil
}

// failure is a language whose first program failed.
type failure struct {
	language job.Language
	evidence string
}

// fails runs the first program of each language that srv offers, or of those in only if that is not nil, and returns those that fail.
func fails(ctx context.Context, srv *daemon.Server, only []failure) (failed []failure, err error) {
	languages, err := srv.Languages(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the languages to try the policy with: %w", err)
	}
	if only != nil {
		languages = slices.DeleteFunc(languages, func(l job.Language) bool {
			return !slices.ContainsFunc(only, func(f failure) bool { return f.language.Name == l.Name })
		})
	}
	for i, h := range hellos(ctx, srv, languages) {
		if !h.OK {
			failed = append(failed, failure{languages[i], h.Evidence})
		}
	}
	return failed, ctx.Err()
}

// explain returns the reason why no daemon serves under a policy, which it calls by that name. That the probes of the self-test don't even
// start is mostly the work of a call that the policy refuses and the built-in one allows.
func explain(p *seccomp.Policy, name string, err error) error {
	if !errors.Is(err, daemon.ErrProbesDidNotRun) {
		return err
	}
	target, terr := seccomp.Host()
	if terr != nil {
		return err
	}
	changes, cerr := p.Compare(seccomp.Default(), target)
	if cerr != nil {
		return err
	}
	var refused []string
	for _, c := range changes {
		if !c.More() {
			refused = append(refused, c.Name)
		}
	}
	const most = 12 // names that a message has
	switch n := len(refused); {
	case n == 0:
		return err
	case n > most:
		refused = append(refused[:most], fmt.Sprintf("%d more", n-most))
	}
	return fmt.Errorf("no program can be run under %s: it refuses what the built-in policy allows (%s)", name, strings.Join(refused, ", "))
}
