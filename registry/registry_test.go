// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// madeLayout is a layout with the images a and b, and an SBOM of a.
func madeLayout(t *testing.T) (dir string, a v1.Image) {
	t.Helper()
	dir = t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		image, err := random.Image(4096, 2)
		if err != nil {
			t.Fatal(err)
		}
		image = mutate.MediaType(image, types.OCIManifestSchema1)
		if err := path.AppendImage(image, layout.WithAnnotations(map[string]string{NameAnnotation: name})); err != nil {
			t.Fatal(err)
		}
		if name == "a" {
			a = image
		}
	}
	digest, err1 := a.Digest()
	size, err2 := a.Size()
	artifact := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	bom, err3 := mutate.Append(artifact, mutate.Addendum{Layer: static.NewLayer([]byte("{}"), "application/spdx+json")})
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	bom = mutate.Subject(bom, v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: size, Digest: digest}).(v1.Image)
	if err := path.AppendImage(bom); err != nil {
		t.Fatal(err)
	}
	return dir, a
}

func server(t *testing.T, h http.Handler) (host string) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func newRegistry() http.Handler {
	return registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
}

// TestPushAndPull: what comes back has the digest and the bytes of what was sent, and what refers to it is there too.
func TestPushAndPull(t *testing.T) {
	dir, want := madeLayout(t)
	host := server(t, newRegistry())
	o := Options{Insecure: true}
	ref, err := Push(patience.Context(t), dir, "a", host+"/ccee/a:1", o)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := want.Digest()
	if err != nil || ref != host+"/ccee/a@"+digest.String() {
		t.Errorf("Push = %s (%v), want the digest %s", ref, err, digest)
	}
	got := pulled(t, ref, o)
	if d, err := got.Digest(); err != nil || d != digest {
		t.Errorf("pulled %s (%v), want %s", d, err, digest)
	}
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
	resp, err := http.Get("http://" + host + "/v2/ccee/a/referrers/" + digest.String()) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(b), `"manifests":[{`) {
		t.Errorf("referrers of it: %s (%v)", b, err)
	}
}

func pulled(t *testing.T, ref string, o Options) v1.Image {
	t.Helper()
	to := filepath.Join(t.TempDir(), "layout")
	if err := Pull(patience.Context(t), ref, to, o); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(to)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil || len(m.Manifests) != 1 {
		t.Fatalf("%d images (%v), want one", len(m.Manifests), err)
	}
	image, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func webRef(t *testing.T, host string, image v1.Image) string {
	t.Helper()
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + host + "/images@" + d.String()
}

// TestPullFromWeb: a layout on a plain web server is pulled by its digest.
func TestPullFromWeb(t *testing.T) {
	dir, want := madeLayout(t)
	host := server(t, http.StripPrefix("/images/", http.FileServer(http.Dir(dir))))
	got := pulled(t, webRef(t, host, want), Options{Insecure: true})
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
}

// TestPullOfHostileServer: what is not what its digest says is never taken, and said at once.
func TestPullOfHostileServer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(body []byte) []byte
		path   int // which request is answered like that: 0 the manifest, 1 the config, 2 a layer
	}{
		{"another manifest", func(b []byte) []byte { return bytes.Replace(b, []byte("sha256"), []byte("sha25x"), 1) }, 0},
		{"another config", func(b []byte) []byte { b[0] ^= 1; return b }, 1},
		{"another layer", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, 2},
		{"a longer layer", func(b []byte) []byte { return append(b, 0) }, 2},
		{"an endless manifest", func([]byte) []byte { return make([]byte, maxManifest+1) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, want := madeLayout(t)
			files := http.FileServer(http.Dir(dir))
			var requests atomic.Int32
			host := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := int(requests.Add(1)) - 1
				rec := httptest.NewRecorder()
				r.URL.Path = strings.TrimPrefix(r.URL.Path, "/images")
				files.ServeHTTP(rec, r)
				body := rec.Body.Bytes()
				if n == tt.path {
					body = tt.change(body)
				}
				_, _ = w.Write(body)
			}))
			to := t.TempDir()
			err := Pull(patience.Context(t), webRef(t, host, want), to, Options{Insecure: true})
			if err == nil || !strings.Contains(err.Error(), "digest") {
				t.Fatalf("Pull = %v, want an error about the digest", err)
			}
			if n := int(requests.Load()); n != tt.path+1 {
				t.Errorf("%d requests: it asked again", n)
			}
			if _, err := os.Stat(filepath.Join(to, "index.json")); err == nil {
				t.Error("the layout names the image")
			}
		})
	}
}

// TestPullTriesAgain: what breaks off, and what the server has trouble with, is asked for again; what it has not is not.
func TestPullTriesAgain(t *testing.T) {
	dir, want := madeLayout(t)
	files := http.StripPrefix("/images/", http.FileServer(http.Dir(dir)))
	for _, tt := range []struct {
		name  string
		fail  func(w http.ResponseWriter)
		works bool
	}{
		{"it breaks off", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "4096"); _, _ = w.Write([]byte("{")) }, true},
		{"503", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, true},
		{"429", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, true},
		{"404", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int32
			host := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == 1 {
					tt.fail(w)
					return
				}
				files.ServeHTTP(w, r)
			}))
			var lines []string
			o := Options{Insecure: true, Progress: func(line string) { lines = append(lines, line) }}
			err := Pull(patience.Context(t), webRef(t, host, want), t.TempDir(), o)
			if (err == nil) != tt.works {
				t.Errorf("Pull = %v after %d requests, %q", err, requests.Load(), lines)
			}
		})
	}
}

// TestNames: what may be pushed to and pulled from.
func TestNames(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, tt := range []struct{ name, image, says string }{
		{"no digest", "127.0.0.1:1/a:1", "no digest"},
		{"no registry", "python" + digest, "which registry"},
		{"plain HTTP to another machine", "http://example.com/images" + digest, "without TLS"},
		{"plain HTTP to another registry", "registry.example.com/a" + digest, "not on this machine"},
		{"a user in the address", "https://a:b@example.com/images" + digest, ""},
		{"a short digest", "https://example.com/images@sha256:01", "sha256"},
	} {
		err := Pull(t.Context(), tt.image, t.TempDir(), Options{Insecure: true})
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.says)
		}
	}
	dir, _ := madeLayout(t)
	for to, says := range map[string]string{"127.0.0.1:1/a": "no tag", "127.0.0.1:1/a" + digest: "TAG"} {
		if _, err := Push(t.Context(), dir, "a", to, Options{Insecure: true}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("push to %s: %v, want %q", to, err, says)
		}
	}
	_, err := Push(t.Context(), dir, "c", "127.0.0.1:1/a:1", Options{Insecure: true})
	if err == nil || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("an unknown image: %v, want the names that there are", err)
	}
}

// FuzzManifest: a manifest is a stranger's bytes.
func FuzzManifest(f *testing.F) {
	const index = "application/vnd.oci.image.index.v1+json"
	f.Add([]byte(`{"mediaType":"` + index + `","manifests":[{"platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Add([]byte(`{"layers":[{"digest":"sha256:00","size":-1}],"config":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		digest := v1.Hash{Algorithm: "sha256", Hex: sum(raw)}
		p := puller{fixed{digest: raw}, t.TempDir(), Options{}}
		if err := os.MkdirAll(filepath.Join(p.dir, "blobs", "sha256"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := p.pull(t.Context(), digest); err == nil && !bytes.Contains(raw, []byte("sha256:")) {
			t.Errorf("pulled %q, which names no config", raw)
		}
	})
}

// fixed is a source with those blobs.
type fixed map[v1.Hash][]byte

func (f fixed) manifest(_ context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return f.open(digest)
}
func (f fixed) blob(_ context.Context, digest v1.Hash) (io.ReadCloser, error) { return f.open(digest) }

func (f fixed) open(digest v1.Hash) (io.ReadCloser, error) {
	if b, ok := f[digest]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return nil, errRefused
}
