// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

// Runtime is a language that jobs can be submitted in.
type Runtime struct {
	Language    string   `json:"language"`
	Available   bool     `json:"available"` // a worker can run it now; otherwise its jobs are accepted and wait
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

// isolation describes how jobs are kept apart, the same for every language.
var isolation = []string{
	"one sandbox a job: own user, mount, pid, network, ipc, uts and cgroup namespaces, read-only image, no network",
	"runs as uid 1000 of its own user namespace, without capabilities, under a seccomp allow list",
	"CPU, memory, time, process, file and output limits of its own for each step",
}

// NewRuntime shows a language.
func NewRuntime(l job.Language) Runtime {
	v := Runtime{
		Language: l.Name, DisplayName: l.DisplayName, SourceFile: l.SourceFile,
		Runtime:     strings.TrimSpace(cmp.Or(l.Runtime, l.DisplayName) + " " + l.Version),
		Pipeline:    []string{},
		Environment: "Fresh working directory in memory, read-only language image, standard input from the request.",
		Isolation:   isolation,
		Version:     l.Version, Aliases: append([]string{}, l.Aliases...), Image: Text(l.Image),
		Defaults: Limits(job.Limits{}.Effective(l.DefaultRun, job.DefaultRun)),
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
