// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ccee-dev/ccee/rootfs"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// attempts bounds how often a pull is tried; each pause between is twice as long as the one before. A server that sends nothing for
// stall is given up.
const (
	attempts = 5
	stall    = 30 * time.Second
)

// Puller pulls language images into a store.
type Puller struct {
	Store *rootfs.Store
	Options
	Transport http.RoundTripper // nil: one that trusts the host's certificates
	Pause     time.Duration     // before the second attempt; 0: one second
}

// Pull makes the images of the sources, HOST/REPOSITORY@sha256:<hex> or https://HOST/PATH@sha256:<hex>, images of the store, named by their
// language profiles. An image that the store has already costs no connection. All sources are parsed before the first is asked.
func (p *Puller) Pull(ctx context.Context, sources []string) error {
	parsed := make([]source, len(sources))
	for i, text := range sources {
		var err error
		if parsed[i], err = parseSource(text, p.Insecure); err != nil {
			return fmt.Errorf("pull: %w", err)
		}
	}
	for i, s := range parsed {
		if err := p.pull(ctx, sources[i], s); err != nil {
			return fmt.Errorf("pull %s: %w", sources[i], err)
		}
	}
	return nil
}

// pull pulls one image, with retries.
func (p *Puller) pull(ctx context.Context, text string, s source) error {
	switch img, err := p.Store.Get(ctx, s.digest.String()); {
	case err == nil && img.Damage == "":
		p.say("%s: current, %s", img.Name, img.Digest)
		return nil
	case err != nil && !errors.Is(err, rootfs.ErrNotFound):
		return err
	}
	pause := p.Pause
	if pause == 0 {
		pause = time.Second
	}
	for n := 1; ; n++ {
		err := p.attempt(ctx, text, s)
		if err == nil || n == attempts || permanent(err) || ctx.Err() != nil {
			return err
		}
		p.say("%s: %v; attempt %d of %d in %v", text, err, n+1, attempts, pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

func (p *Puller) attempt(ctx context.Context, text string, s source) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watch{cancel: cancel, timer: time.AfterFunc(stall, func() { cancel(errStalled) })}
	defer w.timer.Stop()
	image, err := p.open(ctx, s)
	if err == nil {
		var img rootfs.Image
		if img, err = p.Store.Put(ctx, &watched{Image: image, watch: w, say: p.say, source: text}, "", rootfs.ImportOptions{}); err == nil {
			p.say("%s: pulled, %.1f MiB, %s", img.Name, float64(img.Size)/(1<<20), img.Digest)
		}
	}
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		err = errStalled
	}
	return err
}

// open reads the manifest.
func (p *Puller) open(ctx context.Context, s source) (v1.Image, error) {
	t := p.Transport
	if t == nil {
		t = newTransport()
	}
	t = onlySafe{t, p.Insecure}
	if s.base != nil {
		return openLayout(ctx, t, s)
	}
	return remote.Image(s.repository.Digest(s.digest.String()), remote.WithContext(ctx), remote.WithTransport(t),
		remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: stall, DisableCompression: true, // layers are compressed
	}
}

// onlySafe refuses plain HTTP but to the loopback, so that neither a redirect nor a registry's token server leads there.
type onlySafe struct {
	http.RoundTripper
	insecure bool
}

func (o onlySafe) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !(o.insecure && loopback(r.URL.Host)) {
		return nil, fmt.Errorf("%w: %s", errPlain, r.URL.Redacted())
	}
	return o.RoundTripper.RoundTrip(r)
}

var (
	errStalled = fmt.Errorf("the server has sent nothing for %v", stall)
	errPlain   = errors.New("plain HTTP is refused")
)

// mismatchError means that what came has not the digest by which it was asked for.
type mismatchError struct{ want, got v1.Hash }

func (e *mismatchError) Error() string {
	return fmt.Sprintf("digest mismatch: asked for %s, received %s: refused", e.want, e.got)
}

// statusError is an answer of a web server other than 200.
type statusError struct {
	url  string
	code int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("GET %s: %d %s", e.url, e.code, http.StatusText(e.code))
}

// permanent reports whether another attempt would end the same way: a wrong digest, and answers that lay the fault on the request.
func permanent(err error) bool {
	status := 0
	var web *statusError
	var registry *transport.Error
	switch {
	case errors.As(err, new(*mismatchError)), errors.Is(err, errPlain):
		return true
	case errors.As(err, &web):
		status = web.code
	case errors.As(err, &registry):
		status = registry.StatusCode
	}
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
