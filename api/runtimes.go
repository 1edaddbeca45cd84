// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/submit"
)

// runtimesBody is the answer of GET /v1/runtimes.
type runtimesBody struct {
	TraceID   string         `json:"traceId"`
	Runtimes  []view.Runtime `json:"runtimes"`
	Isolation isolationView  `json:"isolation"`
}

type isolationView struct {
	Queue       string `json:"queue"`
	WorkerFleet string `json:"workerFleet"`
	Container   string `json:"container"`
	Cloud       string `json:"cloud"`
}

// getRuntimes lists the languages that jobs can be submitted in, and marks those that can run now: GET /v1/runtimes.
func (s *Server) getRuntimes(c *call) {
	ctx, cancel := c.redis()
	defer cancel()
	known, fleet, err := s.submit.Look(ctx)
	if err != nil && !errors.Is(err, submit.ErrNoRuntimes) {
		c.unavailable(err)
		return
	}
	answer := runtimesBody{
		TraceID:  c.trace,
		Runtimes: make([]view.Runtime, len(known)),
		Isolation: isolationView{
			Queue:       "jobs wait in their tenant's own queue and are picked fairly among tenants",
			WorkerFleet: "workers are unprivileged: they reach the sandboxes only through the daemon's socket",
			Container:   "one sandbox a job, built from namespaces, cgroups, seccomp and tmpfs, and gone after it",
			Cloud:       "single host",
		},
	}
	known = slices.Clone(known)
	slices.SortStableFunc(known, submit.InOrder(shownFirst))
	for i, l := range known {
		answer.Runtimes[i] = view.NewRuntime(l)
		answer.Runtimes[i].Available = submit.Offers(fleet.Now, l.Name)
	}
	c.json(http.StatusOK, answer)
}

// shownFirst come before all others in the list of runtimes, in the order that menus of clients know.
var shownFirst = []string{"java", "python", "go", "javascript", "typescript", "cpp", "csharp"}
