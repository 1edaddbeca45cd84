// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/rootfs"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// newOptions prepares a tree like that of the repository with a small binary and a small language image in it. Only dir/dist is written.
func newOptions(t *testing.T) (o options, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.21\n", "main.go": "package main\n\nfunc main() { println(6 * 7) }\n",
		"certs/b.crt": "B\n", "certs/a.crt": "\nA\n\n",
		"status": "Package: libc6-dev\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-12\n" +
			"Description: x\n Package: ca-certificates\n\nPackage: libseccomp-dev\nStatus: deinstall ok config-files\nVersion: 1\n\n" +
			"Package: ca-certificates\nStatus: install ok installed\nArchitecture: all\nVersion: 20250419\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	for _, name := range []string{"passwd", "group"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "infra/images", name), string(text))
	}
	compile(t, dir, "0")
	return options{
		binary: filepath.Join(dir, "bin/ccee"), store: newStore(t),
		recipes: filepath.Join(dir, "recipes"), files: filepath.Join(dir, "infra/images"),
		certs: filepath.Join(dir, "certs"), status: filepath.Join(dir, "status"), out: filepath.Join(dir, "dist/images"),
		version: "1.2.3", revision: "abc", epoch: time.Unix(1_700_000_000, 0).UTC(),
	}, dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// compile builds dir/bin/ccee.
func compile(t *testing.T, dir, cgo string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", "bin/ccee", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// newStore returns an image store with one language.
func newStore(t *testing.T) string {
	t.Helper()
	image, err := random.Image(10_000, 1)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.Architecture, file.OS = arch(t), "linux"
	file.Config.Labels = map[string]string{rootfs.LabelPackages: "libattr1_1%3a2.5.2-3_amd64 tzdata_2025b-4+deb13u1_all"}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendImage(image, layout.WithAnnotations(map[string]string{refName: "x"}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func arch(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOARCH").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func built(t *testing.T, o options) string {
	t.Helper()
	var out bytes.Buffer
	if err := build(o, &out); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(out.String(), o.out, "")
}

// TestReproducible: two builds have the same digests, whenever the files were made.
func TestReproducible(t *testing.T) {
	o, dir := newOptions(t)
	first := built(t, o)
	now := time.Now().Add(time.Hour)
	if err := errors.Join(os.Chtimes(o.binary, now, now), os.Chmod(o.binary, 0o700)); err != nil {
		t.Fatal(err)
	}
	o.out = filepath.Join(dir, "again")
	if second := built(t, o); first != second || strings.Count(first, "@sha256:") != 3 {
		t.Errorf("the digests are %q, and then %q", first, second)
	}
}

// TestBill: what is in an image is in its bill, which refers to it.
func TestBill(t *testing.T) {
	o, _ := newOptions(t)
	built(t, o)
	index, err := layout.ImageIndexFromPath(filepath.Join(o.out, "runner"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Manifests) != 2 || m.Manifests[1].ArtifactType != "application/spdx+json" {
		t.Fatalf("the layout has %v", m.Manifests)
	}
	artifact, err := index.Image(m.Manifests[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := artifact.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Subject == nil || manifest.Subject.Digest != m.Manifests[0].Digest {
		t.Errorf("the bill's subject is %v, want %s", manifest.Subject, m.Manifests[0].Digest)
	}
	text, err := os.ReadFile(filepath.Join(o.out, "runner.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(text)); manifest.Layers[0].Digest.String() != want {
		t.Errorf("the layout has the bill %s, the file is %s", manifest.Layers[0].Digest, want)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range d.Packages {
		for _, r := range p.ExternalRefs {
			got = append(got, r.ReferenceLocator)
		}
	}
	// By https://github.com/package-url/purl-spec; the version of an epoch keeps its colon, a plus is quoted.
	for _, want := range []string{
		"pkg:golang/example.com/hello@1.2.3", "pkg:deb/debian/libc6-dev@2.41-12?arch=amd64",
		"pkg:deb/debian/ca-certificates@20250419?arch=all",
		"pkg:deb/debian/libattr1@1:2.5.2-3?arch=amd64", "pkg:deb/debian/tzdata@2025b-4%2Bdeb13u1?arch=all",
	} {
		if !strings.Contains(strings.Join(got, "\n")+"\n", want+"\n") {
			t.Errorf("the bill lacks %s; it has %v", want, got)
		}
	}
	if strings.Contains(string(text), "libseccomp") {
		t.Error("the bill has a package that is not installed")
	}
}

func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, o *options, dir string)
		want  string
	}{
		"dynamic binary": {func(t *testing.T, o *options, dir string) {
			write(t, filepath.Join(dir, "main.go"),
				"package main\n\n// int six() { return 6; }\nimport \"C\"\n\nfunc main() { println(C.six()) }\n")
			compile(t, dir, "1")
		}, "linked dynamically"},
		"damaged language": {func(t *testing.T, o *options, _ string) {
			blobs, _ := filepath.Glob(filepath.Join(o.store, "blobs/sha256/*"))
			write(t, blobs[0], "other")
		}, "is damaged"},
		"no language":     {func(t *testing.T, o *options, _ string) { o.store = t.TempDir() }, "make images"},
		"no certificates": {func(t *testing.T, o *options, _ string) { o.certs = t.TempDir() }, "ca-certificates"},
		"other files": {func(t *testing.T, o *options, _ string) {
			write(t, filepath.Join(o.out, "api/precious"), "x")
		}, "not an OCI image layout"},
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := newOptions(t)
			tt.spoil(t, &o, dir)
			if err := build(o, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestDockerfiles builds each Dockerfile with podman and compares files and configuration with the layout's.
func TestDockerfiles(t *testing.T) {
	if _, err := exec.LookPath("podman"); err != nil || os.Geteuid() != 0 {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("podman and root are needed: run make test-deps")
		}
		t.Skip("podman and root are needed: run make test-deps")
	}
	o, dir := newOptions(t)
	built(t, o)
	for _, r := range roles {
		t.Run(r.name, func(t *testing.T) {
			want, err := layout.ImageIndexFromPath(filepath.Join(o.out, r.name))
			if err != nil {
				t.Fatal(err)
			}
			work := t.TempDir()
			podman := func(args ...string) {
				cmd := exec.Command("podman", append([]string{"--storage-driver", "vfs",
					"--root", filepath.Join(work, "root"), "--runroot", filepath.Join(work, "run")}, args...)...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
			}
			file, err := filepath.Abs(r.name + ".Dockerfile")
			if err != nil {
				t.Fatal(err)
			}
			podman("build", "--format", "docker", "--layers=false", "--network", "none", "-t", "x", "-f", file,
				"--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc", "--build-arg", "CREATED=2023-11-14T22:13:20Z", dir)
			podman("push", "-q", "--format", "oci", "x", "oci:"+filepath.Join(work, "layout")+":x")
			podman("rmi", "-af")
			got, err := layout.ImageIndexFromPath(filepath.Join(work, "layout"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(content(t, want), content(t, got)); diff != "" {
				t.Errorf("make dist-images (-) and the Dockerfile (+) differ:\n%s", diff)
			}
		})
	}
}

// TestHealthchecks: podman drops the health check when it pushes an OCI image, so the text of the Dockerfiles is compared.
func TestHealthchecks(t *testing.T) {
	for _, r := range roles {
		text, err := os.ReadFile(r.name + ".Dockerfile")
		if err != nil {
			t.Fatal(err)
		}
		h := r.config(options{}).Healthcheck
		test, err := json.Marshal(h.Test[1:])
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("HEALTHCHECK --interval=%.0fs --timeout=%.0fs --start-period=%.0fm --retries=%d CMD %s\n",
			h.Interval.Seconds(), h.Timeout.Seconds(), h.StartPeriod.Minutes(), h.Retries, strings.ReplaceAll(string(test), ",", ", "))
		if !strings.Contains(string(text), want) {
			t.Errorf("%s.Dockerfile has not the line %q", r.name, want)
		}
	}
}

// content returns what an image has in words that can be compared: its configuration, and mode, owner and digest of each file.
func content(t *testing.T, index v1.ImageIndex) map[string]string {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	delete(c.Labels, "io.buildah.version")
	all := map[string]string{
		"platform": config.OS + "/" + config.Architecture, "user": c.User, "workdir": c.WorkingDir,
		"command": fmt.Sprint(c.Entrypoint, c.Cmd), "env": fmt.Sprint(c.Env),
		"labels": fmt.Sprint(c.Labels), "ports": fmt.Sprint(c.ExposedPorts),
	}
	r := mutate.Extract(image)
	defer r.Close()
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, files); err != nil {
			t.Fatal(err)
		}
		all["/"+strings.Trim(h.Name, "/")] = fmt.Sprintf("%c %o %d:%d %x", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, sum.Sum(nil))
	}
}
