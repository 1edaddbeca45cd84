// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	architecture = runtime.GOARCH
	binaryPath   = "/usr/local/bin/ccee"
	storePath    = "/var/lib/ccee/images"
	unprivileged = "61523:61523" // the user ccee of /etc/passwd
)

// part is one image.
type part struct {
	name, title string
	user        string // "" is root
	command     []string
	env         map[string]string
	ports       []string
	health      []string // arguments of ccee that tell whether the part lives
	languages   func([]language) ([]v1.Layer, error)
}

// parts are the images. Their names are the original's; task is what its runner was on Fargate.
var parts = []part{
	{
		name: "api", title: "CCEE: the REST API", user: unprivileged, command: []string{"api", "--listen", "0.0.0.0:8080"},
		ports: []string{"8080/tcp"}, health: []string{"health"},
	},
	{
		name: "worker", title: "CCEE: takes jobs from the queue to daemons", user: unprivileged, command: []string{"worker"},
		env: map[string]string{"WORKER_METRICS_LISTEN": "0.0.0.0:9090"}, ports: []string{"9090/tcp"},
		health: []string{"health", "--url", "http://127.0.0.1:9090/metrics"},
	},
	{
		name: "runner", title: "CCEE: the daemon and its languages, for privileged containers", command: []string{"daemon"},
		health: []string{"health", "--socket", "/run/ccee/daemon.sock"}, languages: carried,
	},
}

func (p part) build(in input, langs []language) (v1.Image, error) {
	var layers []v1.Layer
	if p.languages != nil { // below, since they change less often than the binary
		var err error
		if layers, err = p.languages(langs); err != nil {
			return nil, err
		}
	}
	own, err := ownFiles(in)
	if err != nil {
		return nil, err
	}
	layers = append(layers, own)
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, l := range layers {
		history := v1.History{Created: v1.Time{Time: in.epoch}, CreatedBy: "make dist-images"}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: l, History: history}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", architecture, v1.Time{Time: in.epoch}
	config.Config = p.config(in)
	return mutate.ConfigFile(image, config)
}

func (p part) config(in input) v1.Config {
	c := v1.Config{
		User: p.user, Entrypoint: []string{binaryPath}, Cmd: p.command, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, WorkingDir: "/",
		StopSignal: "SIGTERM",
		Labels: map[string]string{
			"org.opencontainers.image.title":    p.title,
			"org.opencontainers.image.version":  in.version,
			"org.opencontainers.image.created":  in.epoch.Format(time.RFC3339),
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/ccee-dev/ccee",
		},
		Healthcheck: &v1.HealthConfig{
			Test: append([]string{"CMD", binaryPath}, p.health...), Retries: 3,
			Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second,
		},
	}
	if in.revision != "" {
		c.Labels["org.opencontainers.image.revision"] = in.revision
	}
	for _, k := range slices.Sorted(maps.Keys(p.env)) {
		c.Env = append(c.Env, k+"="+p.env[k])
	}
	for _, port := range p.ports {
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		c.ExposedPorts[port] = struct{}{}
	}
	return c
}

// ownFiles is the layer that each image has: the binary, the users that it names, and whom it trusts.
func ownFiles(in input) (v1.Layer, error) {
	files := []file{
		{name: "etc/group", content: text("root:x:0:\nccee:x:61523:\nsandbox:x:1000:\n")},
		{name: "etc/passwd", content: text("root:x:0:0:root:/:/usr/sbin/nologin\nccee:x:61523:61523:ccee:/:/usr/sbin/nologin\n" +
			"sandbox:x:1000:1000:sandbox:/workspace:/bin/sh\n")},
		{name: "etc/ssl/certs/ca-certificates.crt", content: onDisk(in.cas)},
		{name: "usr/local/bin/ccee", mode: 0o755, content: onDisk(in.binary)},
	}
	layer, err := makeLayer(files, in.epoch)
	if err != nil {
		return nil, fmt.Errorf("its own files: %w", err)
	}
	return layer, nil
}
