// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// Limits of a runtime while it starts, before there is a job.
const (
	warmCPUTime = 30 * time.Second
	warmWall    = 10 * time.Minute // it runs at idle priority: on a busy host it gets next to no CPU time
	warmOutput  = 4 << 10          // bytes of each stream that are kept for the error if it does not start
	warmFlood   = 1 << 20          // bytes of output after which it is killed

	// warmFiles bounds the size in bytes of a job's files that a warm runtime compiles: see job.Language.WarmMemoryBytes.
	warmFiles = 64 << 10
)

// warmSizes are the memory limits for which there are warm runtimes, of those that size themselves by their limit: 0 is the language's
// default, the others are those that the original's page asks for. The list is short so that the kinds of prewarmed sandboxes stay few,
// whatever jobs ask for.
var warmSizes = []int64{0, 256 * job.MiB, 512 * job.MiB}

// Usual reports whether p's sandbox has the usual sizes of its language. Only such sandboxes are prewarmed, so their kinds stay few,
// whatever jobs ask for.
func (p Plan) Usual() bool {
	for _, s := range p.Steps {
		def := job.Limits{}.Effective(p.Lang.DefaultRun, job.DefaultRun)
		if s.Name == "compile" {
			def = job.Limits{}.Effective(p.Lang.DefaultCompile, job.DefaultCompile)
		}
		l := s.Limits
		if l.TmpBytes != def.TmpBytes || l.TmpInodes != def.TmpInodes || l.WorkspaceBytes != def.WorkspaceBytes || l.WorkspaceInodes != def.WorkspaceInodes {
			return false
		}
	}
	return true
}

// PrewarmConfig describes a sandbox that can be made before there is a job and then serve p. It has no ids yet. Its resources are the
// defaults: the job's own are set when its first step begins.
func (p Plan) PrewarmConfig(root string) nsjail.Config {
	cfg := p.Config(root, 0)
	cfg.UIDMappings, cfg.GIDMappings = nil, nil
	cfg.Resources = resources(job.DefaultRun)
	return cfg
}

// WarmProgram describes the runtime that can be started before there is a job and then do the work of p's steps. It is nil if p asks
// for something that the kernel or the runtime must know when a program starts: arguments, environment, rlimits, heap size, processors.
// Then p's programs are started as usual, with the same result. The program has no seccomp filter yet: that is the daemon's policy.
func (p Plan) WarmProgram() *nsjail.Process {
	if len(p.Lang.Warm) == 0 || len(p.Steps) > 1 && p.fileBytes() > warmFiles {
		return nil
	}
	for _, memory := range warmSizes {
		usual, err := New(job.Spec{Source: " ", Run: job.Limits{MemoryBytes: memory}}, p.Lang)
		if err == nil && slices.EqualFunc(p.Steps, usual.Steps, Step.startsLike) {
			return usual.warmProcess()
		}
	}
	return nil
}

// fileBytes is the total size of the job's files.
func (p Plan) fileBytes() int {
	n := 0
	for _, s := range p.Steps {
		for _, file := range s.Files {
			n += len(file.Data)
		}
	}
	return n
}

// startsLike reports whether the program of s is started exactly as that of the usual step is.
func (s Step) startsLike(usual Step) bool {
	a, b := s.Limits, usual.Limits
	a.CPUMs, b.CPUMs = 0, 0 // RLIMIT_CPU is set when the job arrives
	return s.Name == usual.Name && !s.Interleave && slices.Equal(s.Args, usual.Args) && slices.Equal(s.Env, usual.Env) &&
		reflect.DeepEqual(rlimits(a), rlimits(b))
}

// warmProcess is the runtime that serves every plan whose steps start like those of p. Its rlimits and resources are the largest of all
// steps.
func (p Plan) warmProcess() *nsjail.Process {
	proc := p.Steps[0].Process()
	for _, s := range p.Steps[1:] {
		other := s.Process()
		for i, r := range other.Rlimits {
			have := &proc.Rlimits[i]
			have.Soft, have.Hard = max(have.Soft, r.Soft), max(have.Hard, r.Hard)
		}
		proc.Resources.MemoryMax = max(proc.Resources.MemoryMax, other.Resources.MemoryMax)
		proc.Resources.PidsMax = max(proc.Resources.PidsMax, other.Resources.PidsMax)
	}
	for i, r := range proc.Rlimits {
		if r.Type == unix.RLIMIT_CPU {
			proc.Rlimits[i].Soft, proc.Rlimits[i].Hard = unix.RLIM_INFINITY, unix.RLIM_INFINITY // later it can only be lowered
		}
	}
	proc.Args = expand(p.Lang.Warm, words(p.source, p.class, p.Last().Limits))
	proc.Files, proc.Stdin, proc.MayPause = nil, nil, true
	proc.Resources.MemoryMax += p.Lang.WarmMemoryBytes
	proc.Resources.CPUMillicores, proc.Resources.Idle = 1000, true
	proc.WallTime, proc.CPUTime = warmWall, warmCPUTime
	proc.OutputMax, proc.OutputTail, proc.FloodMax = warmOutput, 0, warmFlood
	return &proc
}

// Warmed is p for a sandbox in which its WarmProgram has been started: each step but the last ends when the program pauses, and the
// memory of the runtime itself is not charged to the job.
func (p Plan) Warmed() Plan {
	p.Steps = slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].MayPause = i < len(p.Steps)-1
		p.Steps[i].MemoryExtra = p.Lang.WarmMemoryBytes
	}
	return p
}
