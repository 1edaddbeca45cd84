package api

import (
	"cmp"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

// runtimesBody is the answer of GET /v1/runtimes.
type runtimesBody struct {
	TraceID   string        `json:"traceId"`
	Runtimes  []runtimeView `json:"runtimes"`
	Isolation isolationView `json:"isolation"`
}

type runtimeView struct {
	Language    string   `json:"language"`
	Available   bool     `json:"available"` // a worker can run it now; else its jobs are accepted and wait
	DisplayName string   `json:"displayName"`
	SourceFile  string   `json:"sourceFile"`
	Runtime     string   `json:"runtime"`
	Pipeline    []string `json:"pipeline"`
	Environment string   `json:"environment"`
	Isolation   []string `json:"isolation"`

	Version  string           `json:"version"`
	Aliases  []string         `json:"aliases"`
	Image    *string          `json:"image"`
	Defaults map[string]int64 `json:"runLimits"` // of the run step when a job asks for nothing
}

type isolationView struct {
	Queue       string `json:"queue"`
	WorkerFleet string `json:"workerFleet"`
	Container   string `json:"container"`
	Cloud       string `json:"cloud"`
}

// isolation says how jobs are kept apart, the same for every language.
var isolation = []string{
	"one sandbox a job: own user, mount, pid, network, ipc, uts and cgroup namespaces, read-only image, no network",
	"runs as uid 1000 of its own user namespace, without capabilities, under a seccomp allow list",
	"CPU, memory, time, process, file and output limits of its own for each step",
}

// getRuntimes lists the languages that jobs can be submitted in, and says which of them can run now.
func (s *Server) getRuntimes(c *call) {
	ctx, cancel := c.redis()
	defer cancel()
	known, fleet, err := s.languages.look(ctx)
	if err != nil && !errors.Is(err, errNoRuntimes) {
		c.unavailable(err)
		return
	}
	answer := runtimesBody{
		TraceID:  c.trace,
		Runtimes: make([]runtimeView, len(known)),
		Isolation: isolationView{
			Queue:       "jobs wait in their tenant's own queue and are picked fairly among tenants",
			WorkerFleet: "workers are unprivileged: they reach the sandboxes only through the daemon's socket",
			Container:   "one sandbox a job, built from namespaces, cgroups, seccomp and tmpfs, and gone after it",
			Cloud:       "single host",
		},
	}
	known = slices.Clone(known)
	slices.SortStableFunc(known, byOrderIn(shownFirst))
	for i, l := range known {
		answer.Runtimes[i] = viewRuntime(l)
		answer.Runtimes[i].Available = offers(fleet.Now, l.Name)
	}
	c.json(http.StatusOK, answer)
}

// shownFirst come before all others in the list of runtimes, in the order that menus of clients know.
var shownFirst = []string{"java", "python", "go", "javascript", "typescript", "cpp", "csharp"}

func viewRuntime(l job.Language) runtimeView {
	v := runtimeView{
		Language: l.Name, DisplayName: l.DisplayName, SourceFile: l.SourceFile,
		Runtime:     strings.TrimSpace(cmp.Or(l.Runtime, l.DisplayName) + " " + l.Version),
		Pipeline:    []string{},
		Environment: "Fresh working directory in memory, read-only language image, standard input from the request.",
		Isolation:   isolation,
		Version:     l.Version, Aliases: append([]string{}, l.Aliases...), Image: orNull(l.Image),
		Defaults: limitsView(job.Limits{}.InForce(l.DefaultRun, job.DefaultRun)),
	}
	for _, argv := range [][]string{l.Compile, l.Run} {
		if len(argv) > 0 {
			v.Pipeline = append(v.Pipeline, commandLine(argv, l.SourceFile))
		}
	}
	return v
}

// commandLine shows a step's command as people write it.
func commandLine(argv []string, source string) string {
	words := slices.Clone(argv)
	words[0] = path.Base(words[0])
	return job.ShowWords(strings.Join(words, " "), source, strings.TrimSuffix(source, path.Ext(source)))
}
