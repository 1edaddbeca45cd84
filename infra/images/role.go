// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// storeDir is where the runner's image carries the language images: the default store of ccee daemon.
const storeDir = "var/lib/ccee/images"

// role is one container image.
type role struct {
	name      string
	about     string   // a line for org.opencontainers.image.description
	command   []string // arguments of ccee, which a task definition can replace
	env       []string // defaults, NAME=value
	user      string   // UID:GID
	ports     []string
	languages bool // carries the language images
}

// roles are the images that are made. The unprivileged ones have the numeric user of the task definitions, so that Kubernetes'
// runAsNonRoot can check it; the runner builds jails, which takes root.
var roles = []role{
	{
		name: "api", about: "REST API of CCEE", command: []string{"api"}, user: "1000:1000", ports: []string{"8080/tcp"},
	},
	{
		name: "worker", about: "worker of CCEE: takes jobs from the queue to a daemon", command: []string{"worker"}, user: "1000:1000",
		env: []string{"WORKER_METRICS_LISTEN=127.0.0.1:9464"}, // what ccee health worker asks
	},
	{name: "runner", about: "daemon of CCEE with its language images", command: []string{"daemon"}, user: "0:0", languages: true},
}

// config returns the configuration of a role's image. The health check is Docker's addition, which OCI's words do not have; ECS
// takes its own from the task definition.
func (r role) config(o options) v1.Config {
	c := v1.Config{
		User: r.user, Entrypoint: []string{"/usr/bin/ccee"}, Cmd: r.command, WorkingDir: "/",
		Env: append([]string{"PATH=/usr/bin"}, r.env...),
		Labels: map[string]string{
			"org.opencontainers.image.title":       "ccee-" + r.name,
			"org.opencontainers.image.description": r.about,
			"org.opencontainers.image.version":     o.version,
			"org.opencontainers.image.revision":    o.revision,
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.source":      "https://github.com/ccee-dev/ccee",
			"org.opencontainers.image.created":     o.epoch.UTC().Format(time.RFC3339),
		},
		Healthcheck: &v1.HealthConfig{
			Test: []string{"CMD", "/usr/bin/ccee", "health", r.command[0]}, Interval: 15 * time.Second, Timeout: 5 * time.Second,
			StartPeriod: time.Minute, Retries: 3,
		},
	}
	for _, p := range r.ports {
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		c.ExposedPorts[p] = struct{}{}
	}
	return c
}
