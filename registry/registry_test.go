// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/rootfs"

	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// newLayout makes a layout with a language image of that name, and returns its directory and the image's digest.
func newLayout(t *testing.T, name string) (string, v1.Hash) {
	t.Helper()
	image, err := random.Image(100_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.Architecture, file.OS = "", "linux"
	file.Config.Labels = map[string]string{rootfs.LabelLanguage: `{"name":"` + name + `","sourceFile":"x","run":["/x"]}`}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(image, layout.WithAnnotations(map[string]string{refName: name})); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return dir, digest
}

func newStore(t *testing.T) *rootfs.Store {
	t.Helper()
	store, err := rootfs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// dockerRegistry starts Debian's docker-registry and returns its address.
func dockerRegistry(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("docker-registry is not installed: run make test-deps")
		}
		t.Skip("docker-registry is not installed: run make test-deps")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: %s\n", dir, addr)
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "serve", file)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	patience.Until(t, "docker-registry listens on "+addr, func() (bool, string) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false, err.Error()
		}
		return true, fmt.Sprint(c.Close())
	})
	return addr
}

// TestPushPull pushes to Debian's registry and pulls from it again.
func TestPushPull(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	addr := dockerRegistry(t)
	dir, digest := newLayout(t, "x")
	var out bytes.Buffer
	o := Options{Insecure: true, Progress: &out}
	ref, err := Push(t.Context(), dir, "", addr+"/ccee/x:1", o)
	if want := addr + "/ccee/x@" + digest.String(); err != nil || ref != want {
		t.Fatalf("got %q, %v, want %q", ref, err, want)
	}
	store := newStore(t)
	p := Puller{Store: store, Options: o}
	for _, want := range []string{"x: pulled", "x: current"} {
		out.Reset()
		if err := p.Pull(t.Context(), []string{ref}); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("got %v and %q, want %q", err, out.String(), want)
		}
	}
	if img, err := store.Get(t.Context(), "x"); err != nil || img.Digest != digest.String() {
		t.Errorf("the store has %v, %v, want %s", img, err, digest)
	}
}

// TestCredentials pushes with what docker login keeps.
func TestCredentials(t *testing.T) {
	inner := fake.New()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	config := t.TempDir()
	t.Setenv("DOCKER_CONFIG", config)
	dir, _ := newLayout(t, "x")
	o := Options{Insecure: true}
	if _, err := Push(t.Context(), dir, "", addr+"/x:1", o); err == nil {
		t.Error("a push without credentials succeeded")
	}
	auth := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	login := fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, addr, auth)
	if err := os.WriteFile(filepath.Join(config, "config.json"), login, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Push(t.Context(), dir, "", addr+"/x:1", o); err != nil {
		t.Error(err)
	}
}

func TestPushDamaged(t *testing.T) {
	dir, _ := newLayout(t, "x")
	blobs, _ := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	for _, b := range blobs {
		if info, err := os.Stat(b); err == nil && info.Size() > 50_000 {
			if err := os.WriteFile(b, []byte("other"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := Push(t.Context(), dir, "", "127.0.0.1:1/x:1", Options{Insecure: true})
	if err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("got %v", err)
	}
}

// bucket serves a layout over TLS as an S3-compatible store does, and lets answer replace what is served.
func bucket(t *testing.T, dir string, answer func(http.ResponseWriter, *http.Request) bool) *httptest.Server {
	t.Helper()
	files := http.StripPrefix("/images", http.FileServer(http.Dir(dir)))
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestPullOverHTTPS pulls from a web server that fails, lies, or does what it should.
func TestPullOverHTTPS(t *testing.T) {
	dir, digest := newLayout(t, "x")
	damaged := func(w http.ResponseWriter, r *http.Request) bool {
		info, err := os.Stat(filepath.Join(dir, strings.TrimPrefix(r.URL.Path, "/images")))
		if err != nil || info.Size() < 50_000 {
			return false
		}
		_, _ = w.Write(make([]byte, info.Size()))
		return true
	}
	var failures atomic.Int32
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		want   string // in the error; "": none
		asked  int32  // requests, 0: any number
	}{
		{"as it should be", func(http.ResponseWriter, *http.Request) bool { return false }, "", 0},
		{"two failures first", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return failures.Add(1) <= 2
		}, "", 0},
		{"always fails", func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }, "500", attempts},
		{"refuses", func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(403); return true }, "403", 1},
		{"another manifest", func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "{}"); return true }, "digest mismatch", 1},
		{"another layer", damaged, "digest mismatch", 0},
		{"endless", func(w http.ResponseWriter, r *http.Request) bool {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					break
				}
			}
			return true
		}, "more than", 0},
		{"to plain HTTP", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			return true
		}, "plain HTTP is refused", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			srv := bucket(t, dir, func(w http.ResponseWriter, r *http.Request) bool {
				asked.Add(1)
				if tt.name == "two failures first" && failures.Load() >= 2 {
					return false
				}
				return tt.answer(w, r)
			})
			store := newStore(t)
			p := Puller{Store: store, Transport: srv.Client().Transport, Pause: time.Millisecond}
			err := p.Pull(t.Context(), []string{srv.URL + "/images@" + digest.String()})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if tt.asked != 0 && asked.Load() != tt.asked {
				t.Errorf("%d requests, want %d", asked.Load(), tt.asked)
			}
			if images, _ := store.List(t.Context()); (len(images) == 1) != (tt.want == "") {
				t.Errorf("the store has %v", images)
			}
		})
	}
}

func TestSources(t *testing.T) {
	hex := strings.Repeat("a", 64)
	for _, tt := range []struct {
		text     string
		insecure bool
		want     string // in the error; "": none
	}{
		{"registry.example.com/ccee/python@sha256:" + hex, false, ""},
		{"https://b.example.com/images@sha256:" + hex, false, ""},
		{"http://127.0.0.1:9/images@sha256:" + hex, true, ""},
		{"127.0.0.1:5000/x@sha256:" + hex, true, ""},
		{"registry.example.com/ccee/python:1", false, "a tag can be moved"},
		{"registry.example.com/ccee/python@sha256:ab", false, "must end in @sha256:"},
		{"python@sha256:" + hex, false, "the registry's host"},
		{"library/python@sha256:" + hex, false, "the registry's host"},
		{"127.0.0.1:5000/x@sha256:" + hex, false, "plain HTTP"},
		{"registry.example.com/x@sha256:" + hex, true, "loopback"},
		{"10.0.0.1:5000/x@sha256:" + hex, false, "plain HTTP"},
		{"http://b.example.com/x@sha256:" + hex, true, "https://"},
		{"http://127.0.0.1.example.com/x@sha256:" + hex, true, "https://"},
		{"file:///etc@sha256:" + hex, true, "https://"},
		{"https://b.example.com/x?y@sha256:" + hex, false, "without user, query"},
	} {
		_, err := parseSource(tt.text, tt.insecure)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, insecure %t: got %v, want %q", tt.text, tt.insecure, err, tt.want)
		}
	}
	_, err := Push(t.Context(), t.TempDir(), "", "registry.example.com/x", Options{})
	if err == nil || !strings.Contains(err.Error(), "REPOSITORY:TAG") {
		t.Errorf("a push without a tag: %v", err)
	}
}

// FuzzSource: a source is refused, or names a digest and goes over TLS or to the loopback.
func FuzzSource(f *testing.F) {
	a := strings.Repeat("a", 64)
	for _, s := range []string{"r.example.com/x@sha256:" + a, "https://h/p@sha256:" + a, "http://[::1]/@", "@"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, insecure bool) {
		s, err := parseSource(text, insecure)
		if err != nil {
			return
		}
		if len(s.digest.Hex) != 64 {
			t.Errorf("%q has the digest %q", text, s.digest)
		}
		scheme, host := s.repository.Scheme(), s.repository.RegistryStr()
		if s.base != nil {
			scheme, host = s.base.Scheme, s.base.Host
		}
		if scheme != "https" && !(insecure && loopback(host)) {
			t.Errorf("%q goes to %s by %s", text, host, scheme)
		}
	})
}
