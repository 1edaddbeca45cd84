// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// source is where an image is pulled from: one of repository and base is set.
type source struct {
	repository name.Repository
	base       *url.URL // an OCI image layout behind a web server: blobs are at base/blobs/sha256/<hex>
	digest     v1.Hash
}

// parseSource reads HOST/REPOSITORY@sha256:<hex> or https://HOST/PATH@sha256:<hex>.
func parseSource(text string, insecure bool) (source, error) {
	where, digest, ok := strings.Cut(text, "@")
	h, err := v1.NewHash(digest)
	if !ok || err != nil || h.Algorithm != "sha256" {
		return source{}, fmt.Errorf("%q must end in @sha256: and the digest of the image's manifest, since a tag can be moved", text)
	}
	if !strings.Contains(where, "://") {
		repo, err := repository(where, insecure)
		return source{repository: repo, digest: h}, err
	}
	u, err := url.Parse(where)
	if err != nil {
		return source{}, err
	}
	switch {
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return source{}, fmt.Errorf("%q must be https://HOST/PATH@sha256:..., without user, query and fragment", text)
	case u.Scheme == "https":
	case u.Scheme == "http" && insecure && loopback(u.Host):
	default:
		return source{}, fmt.Errorf("%q must be https://; http:// is for the loopback alone, with --insecure", text)
	}
	return source{base: u, digest: h}, nil
}

// repository parses HOST/REPOSITORY. The host is required: Docker's default would send private images to a public registry.
func repository(text string, insecure bool) (name.Repository, error) {
	host, _, ok := strings.Cut(text, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return name.Repository{}, fmt.Errorf("%q must begin with the registry's host, such as registry.example.com/ccee/api", text)
	}
	// The module takes plain HTTP for localhost and for private addresses by itself; here it must be asked for.
	if insecure {
		if !loopback(host) {
			return name.Repository{}, fmt.Errorf("%q: --insecure is for registries on the loopback alone", text)
		}
		return name.NewRepository(text, name.Insecure)
	}
	repo, err := name.NewRepository(text)
	if err == nil && repo.Scheme() != "https" {
		err = fmt.Errorf("%q would be reached by plain HTTP: add --insecure if it is meant", text)
	}
	return repo, err
}

// loopback reports whether a host, with or without a port, is this machine. A name would do only if nobody else answered for it.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
