// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// remoteSource is a repository of a registry.
type remoteSource struct{ repository name.Repository }

func (s remoteSource) manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	d, err := remote.Get(s.repository.Digest(digest.String()), remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, refusal(err)
	}
	return io.NopCloser(bytes.NewReader(d.Manifest)), nil
}

func (s remoteSource) blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	ref := s.repository.Digest(digest.String())
	layer, err := remote.Layer(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, refusal(err)
	}
	r, err := layer.Compressed()
	return r, refusal(err)
}

// refusal marks an error of the registry that will be the same next time.
func refusal(err error) error {
	var e *transport.Error
	if errors.As(err, &e) && final(e.StatusCode) {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return err
}

func final(status int) bool {
	return status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

// web is an image layout on a web server.
type web struct{ base string }

// webClient bounds what a silent server can cost; how long a layer takes is bounded by the caller.
var webClient = &http.Client{Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
	ForceAttemptHTTP2: true,
}}

func (s web) manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return s.blob(ctx, digest)
}

func (s web) blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/blobs/"+digest.Algorithm+"/"+digest.Hex, nil)
	if err != nil {
		return nil, err
	}
	resp, err := webClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	resp.Body.Close()
	err = fmt.Errorf("%s answered HTTP %d", req.URL.Host, resp.StatusCode)
	if final(resp.StatusCode) {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	return nil, err
}
