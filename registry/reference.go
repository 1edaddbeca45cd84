// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Options set how servers are reached. The zero value is HTTPS, with the credentials of Docker's configuration file for registries.
type Options struct {
	Insecure bool // plain HTTP; refused for servers that are not on loopback
	Progress func(line string)
}

func (o Options) report(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// reference parses REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:DIGEST. The registry has to be said: there is no default one.
func (o Options) reference(text string) (name.Reference, error) {
	var opts []name.Option
	if o.Insecure {
		opts = append(opts, name.Insecure)
	}
	ref, err := name.ParseReference(text, opts...)
	if err != nil {
		return nil, err
	}
	host := ref.Context().RegistryStr()
	if !strings.HasPrefix(text, host+"/") {
		return nil, fmt.Errorf("%s does not say which registry: write REGISTRY/%s", text, text)
	}
	if o.Insecure && !loopback(host) {
		return nil, fmt.Errorf("%s is not on this machine: without TLS nothing is sent there", host)
	}
	return ref, nil
}

func loopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// web parses URL@sha256:DIGEST, where the URL is of an OCI image layout.
func (o Options) web(text string) (base string, digest v1.Hash, err error) {
	base, hex, ok := strings.Cut(text, "@")
	if !ok {
		return "", v1.Hash{}, errNoDigest(text)
	}
	if digest, err = v1.NewHash(hex); err != nil {
		return "", v1.Hash{}, fmt.Errorf("%s: %w", text, err)
	}
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", v1.Hash{}, err
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", v1.Hash{}, fmt.Errorf("%s: an address of a layout has neither user nor query", u.Redacted())
	case u.Scheme == "http" && (!o.Insecure || !loopback(u.Host)):
		return "", v1.Hash{}, fmt.Errorf("%s: without TLS nothing is fetched from another machine", base)
	}
	return strings.TrimSuffix(base, "/"), digest, nil
}

// Digest is the digest in the name of an image to pull.
func Digest(image string) (string, error) {
	_, digest, err := Options{Insecure: true}.source(image)
	return digest.String(), err
}

func errNoDigest(text string) error {
	return fmt.Errorf("%s has no digest: name the image as %s@sha256:..., which is what it is checked against", text, text)
}
