package daemon

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	// warmShare is the part of the memory for jobs, one in so many, that runtimes which wait may take beside it.
	warmShare = 20

	warmRetry  = time.Minute      // after one that did not stop itself
	warmTime   = 30 * time.Second // of CPU that a runtime may take until it stops itself
	warmWall   = 10 * time.Minute // the same of real time: what it gets is what nobody else wants, on a busy host next to nothing
	warmOutput = 4 << 10          // bytes of what it says when it does not
	warmFiles  = 64 << 10         // largest files of a job that a runtime started ahead compiles: see job.Language.WarmMemoryBytes
)

// warmSizes are the memory limits for which runtimes that know their memory are started ahead: the language's default, which is 0 here, and those
// that the original's page asks for. They are few, so the kinds of ready sandboxes stay few, whatever jobs ask for.
var warmSizes = []int64{0, 256 * job.MiB, 512 * job.MiB}

// warm describes the program that is started before there is a job and then does what p's steps do. It is nil where p asks for what
// the kernel or the runtime has to know when a program starts: arguments, environment, rlimits, the heap's size, processors. Then p runs as if
// nothing could be started ahead, with the same result.
func (p plan) warm(f filter) *nsjail.Process {
	if len(p.lang.Warm) == 0 || len(p.steps) > 1 && p.fileBytes() > warmFiles {
		return nil
	}
	for _, memory := range warmSizes {
		usual, err := newPlan(job.Spec{Source: " ", Run: job.Limits{MemoryBytes: memory}}, p.lang)
		if err == nil && slices.EqualFunc(p.steps, usual.steps, step.startsAs) {
			return usual.ahead(f)
		}
	}
	return nil
}

// fileBytes is how large the job's files are.
func (p plan) fileBytes() int {
	n := 0
	for _, s := range p.steps {
		for _, file := range s.files {
			n += len(file.Data)
		}
	}
	return n
}

// startsAs reports whether s is started just as the usual step is.
func (s step) startsAs(usual step) bool {
	a, b := s.limits, usual.limits
	a.CPUMs, b.CPUMs = 0, 0 // RLIMIT_CPU is set when the job is there
	return s.name == usual.name && !s.interleave && slices.Equal(s.args, usual.args) && slices.Equal(s.env, usual.env) &&
		reflect.DeepEqual(rlimits(a), rlimits(b))
}

// ahead is the program that can be started for any plan like p.
func (p plan) ahead(f filter) *nsjail.Process {
	proc := p.steps[0].process(f)
	for _, s := range p.steps[1:] {
		other := s.process(f)
		for i, r := range other.Rlimits {
			have := &proc.Rlimits[i]
			have.Soft, have.Hard = max(have.Soft, r.Soft), max(have.Hard, r.Hard)
		}
		proc.Resources.MemoryMax = max(proc.Resources.MemoryMax, other.Resources.MemoryMax)
		proc.Resources.PidsMax = max(proc.Resources.PidsMax, other.Resources.PidsMax)
	}
	for i, r := range proc.Rlimits {
		if r.Type == unix.RLIMIT_CPU {
			proc.Rlimits[i].Soft, proc.Rlimits[i].Hard = unix.RLIM_INFINITY, unix.RLIM_INFINITY // it can only be lowered later
		}
	}
	proc.Args = expand(p.lang.Warm, words(p.source, p.class, p.steps[len(p.steps)-1].limits))
	proc.Files, proc.Stdin, proc.MayPause = nil, nil, true
	proc.Resources.MemoryMax += p.lang.WarmMemoryBytes
	proc.Resources.CPUMillicores, proc.Resources.Idle = 1000, true
	proc.WallTime, proc.CPUTime = warmWall, warmTime
	proc.OutputMax, proc.OutputTail, proc.FloodMax = warmOutput, 0, 1<<20
	return &proc
}

// warmed is p for a sandbox in which its program has been started.
func (p plan) warmed() plan {
	p.steps = slices.Clone(p.steps)
	for i := range p.steps {
		p.steps[i].mayPause = i < len(p.steps)-1
		p.steps[i].extra = p.lang.WarmMemoryBytes
	}
	return p
}

// start starts a runtime in sb, waits until it has stopped itself, and returns how many bytes of memory it took.
func start(ctx context.Context, sb sandbox, p nsjail.Process) (int64, error) {
	r, err := sb.Run(ctx, p)
	switch {
	case err != nil:
		return 0, fmt.Errorf("start %s ahead: %w", p.Args[0], err)
	case r.Verdict != nsjail.Paused:
		return 0, fmt.Errorf("start %s ahead: it did not stop itself: %s, exit code %d, %v; it wrote %.300q and %.300q", p.Args[0], verdicts[r.Verdict], r.ExitCode, r.Err, r.Stdout.Data, r.Stderr.Data)
	}
	return r.Usage.MemoryPeak, nil
}
