// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"path"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// Ids and places inside every sandbox.
const (
	insideID = 1000 // uid and gid of the program
	hostname = "sandbox"

	// WorkDir is where the job's files are, and the working directory of its programs.
	WorkDir = "/workspace"

	shmBytes = 64 * job.MiB // /dev/shm, as Docker's default; it is charged to the job's memory
)

// Plan is a job in kernel words, before anything is done.
type Plan struct {
	Tenant  string // whose job it is
	Lang    job.Language
	Steps   []Step
	Outputs job.Globs // of the files to read after the last step; nil for none

	Loopback bool // its sandboxes have a loopback device, see job.NetworkLoopback

	source, class string // see sourceNames
}

// Step is one program of a plan.
type Step struct {
	Name   string // "compile", "run" or "checker"
	Args   []string
	Env    []string
	Stdin  []byte
	Files  []nsjail.File // written before the program starts
	Source int           // see nsjail.Process.Source
	Limits job.Limits

	Interleave bool
	Test       int  // see job.Event
	After      bool // another step ran before it in the same sandbox

	// For a step that continues a program which was started before there was a job; see warm.go.
	MayPause    bool
	MemoryExtra int64 // bytes of memory that are not charged to the job
}

// New plans the steps of spec in lang. Its errors are the caller's: *job.Error with code EInvalid.
func New(spec job.Spec, lang job.Language) (Plan, error) {
	compile, run, err := stepLimits(&spec, &lang)
	if err != nil {
		return Plan{}, err
	}
	source, class, err := sourceNames(&spec, &lang)
	if err != nil {
		return Plan{}, err
	}
	files, err := planFiles(&spec, source)
	if err != nil {
		return Plan{}, err
	}
	outputs, err := job.ParseGlobs(spec.OutputFiles)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Tenant: spec.Tenant, Lang: lang, Outputs: outputs, Loopback: spec.Network == job.NetworkLoopback, source: source, class: class}
	if len(lang.Compile) > 0 {
		p.Steps = append(p.Steps, Step{
			Name:   "compile",
			Args:   expand(lang.Compile, words(source, class, compile)),
			Env:    environment(lang.Env, nil, words(source, class, compile)),
			Limits: compile,
		})
	}
	p.Steps = append(p.Steps, p.RunStep(&spec, run))
	p.Steps[0].Files = files
	for i := range p.Steps {
		p.Steps[i].Interleave, p.Steps[i].After = spec.Interleave, i > 0
	}
	return p, nil
}

// NewProgram plans one program that no language runs, such as the probes of the self-test.
func NewProgram(args []string, limits job.Limits, loopback bool) Plan {
	return Plan{Loopback: loopback, Steps: []Step{{Name: "run", Args: args, Env: environment(nil, nil, job.Words{}), Limits: limits}}}
}

// RunStep is the run step for the arguments, environment and stdin of spec under the limits l, without files.
func (p Plan) RunStep(spec *job.Spec, l job.Limits) Step {
	w := words(p.source, p.class, l)
	return Step{
		Name:   "run",
		Args:   append(expand(p.Lang.Run, w), spec.Args...),
		Env:    environment(p.Lang.Env, spec.Env, w),
		Stdin:  spec.Stdin,
		Limits: l,
	}
}

// Last is the last step: the one that runs the program.
func (p Plan) Last() *Step { return &p.Steps[len(p.Steps)-1] }

// planFiles lists the source and the job's files. Two files that can't exist together are refused here: in the sandbox
// that would look like a fault of ours.
func planFiles(spec *job.Spec, source string) ([]nsjail.File, error) {
	var files []nsjail.File
	if spec.Source != "" {
		files = append(files, nsjail.File{Name: source, Data: []byte(spec.Source), Mode: 0o644})
	}
	for _, f := range spec.Files {
		mode := uint32(0o644)
		if f.Exec {
			mode = 0o755
		}
		files = append(files, nsjail.File{Name: f.Name, Data: f.Data, Mode: mode})
	}
	names := map[string]bool{}
	for _, f := range files {
		if names[f.Name] {
			return nil, job.Invalid("files", "names %q, which is where sourceCode goes", f.Name)
		}
		names[f.Name] = true
	}
	for _, f := range files {
		for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
			if names[dir] {
				return nil, job.Invalid("files", "names %q both as a file and as the directory of %q", dir, f.Name)
			}
		}
	}
	return files, nil
}

// words are the placeholders of a command line under l, such as {source}. A core counts as up to 1024 millicores, as clients of the
// original write it.
func words(source, class string, l job.Limits) job.Words {
	return job.Words{Source: source, Class: class, MemoryBytes: l.MemoryBytes, CPUs: min((l.CPUMillicores+1023)/1024, int64(runtime.NumCPU()))}
}

// expand replaces the placeholders in args.
func expand(args []string, w job.Words) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = w.Expand(a)
	}
	return out
}

// environment is the whole environment of a program, sorted: the base, then the language's, then the job's; later values replace
// earlier ones. The language's values may have placeholders.
func environment(lang, spec map[string]string, w job.Words) []string {
	all := map[string]string{
		"PATH":   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME":   WorkDir,
		"LANG":   "C.UTF-8",
		"TMPDIR": "/tmp",
	}
	for k, v := range lang {
		all[k] = w.Expand(v)
	}
	maps.Copy(all, spec)
	out := make([]string, 0, len(all))
	for k, v := range all {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// Need is the part of the daemon's budget that p reserves: the largest of its steps, which never run together.
func (p Plan) Need() slots.Need { return p.NeedFrom(0) }

// NeedFrom is the same when only the steps from that index on are still to run. What the earlier ones left in the sandbox counts towards
// the memory limit of those.
func (p Plan) NeedFrom(step int) slots.Need {
	n := slots.Need{Tenant: p.Tenant}
	for _, s := range p.Steps[step:] {
		n.Memory = max(n.Memory, s.Limits.MemoryBytes+uncharged(s.Limits))
		n.Millicores = max(n.Millicores, s.Limits.CPUMillicores)
		n.Pids = max(n.Pids, s.Limits.PidsMax+1)
	}
	return n
}

// Config describes the sandbox for all steps of p, on the image that is unpacked at root and with the host ids of slot.
func (p Plan) Config(root string, slot int) nsjail.Config {
	// The sandbox's mounts outlive the steps, so they have the larger size of them; each step's memory limit still holds.
	var l job.Limits
	for _, s := range p.Steps {
		l.WorkspaceBytes = max(l.WorkspaceBytes, s.Limits.WorkspaceBytes)
		l.WorkspaceInodes = max(l.WorkspaceInodes, s.Limits.WorkspaceInodes)
		l.TmpBytes = max(l.TmpBytes, s.Limits.TmpBytes)
		l.TmpInodes = max(l.TmpInodes, s.Limits.TmpInodes)
	}
	cfg := nsjail.Config{
		Root:     root,
		Hostname: hostname,
		Mounts: []nsjail.Tmpfs{
			{Destination: "workspace", Size: l.WorkspaceBytes, Inodes: l.WorkspaceInodes, Mode: 0o755, UID: insideID, GID: insideID, Exec: true, Symlinks: true},
			{Destination: "tmp", Size: l.TmpBytes, Inodes: l.TmpInodes, Mode: 0o1777, Symlinks: true},
			{Destination: "dev/shm", Size: min(shmBytes, l.TmpBytes), Inodes: l.TmpInodes, Mode: 0o1777},
		},
		MaskedPaths: maskedPaths(),
		Loopback:    p.Loopback,
		Resources:   resources(p.Steps[0].Limits),
	}
	if p.Outputs != nil {
		cfg.OpenDir = WorkDir
	}
	return WithIDs(cfg, slot)
}

// WithIDs is cfg with the host ids of slot: root and the program's id inside are mapped to two ids that no other slot has.
func WithIDs(cfg nsjail.Config, slot int) nsjail.Config {
	root, program := slots.HostIDs(slot)
	ids := []nsjail.IDMap{
		{ContainerID: 0, HostID: root, Size: 1},
		{ContainerID: insideID, HostID: program, Size: 1},
	}
	cfg.UIDMappings, cfg.GIDMappings = ids, ids
	return cfg
}

func resources(l job.Limits) nsjail.Resources {
	return nsjail.Resources{MemoryMax: l.MemoryBytes, PidsMax: l.PidsMax, CPUMillicores: l.CPUMillicores}
}

// Process describes the program of s. It has no seccomp filter yet: that is the daemon's policy.
func (s Step) Process() nsjail.Process {
	l := s.Limits
	p := nsjail.Process{
		Args: s.Args, Env: s.Env, Cwd: WorkDir,
		UID: insideID, GID: insideID, Umask: 0o022,
		Rlimits:   rlimits(l),
		Files:     s.Files,
		Source:    s.Source,
		Resources: resources(l),
		WallTime:  time.Duration(l.WallMs) * time.Millisecond,
		CPUTime:   time.Duration(l.CPUMs) * time.Millisecond,
		OutputMax: l.OutputBytes,
		FloodMax:  l.FloodBytes,

		OutputTail: l.OutputTailBytes,
		Interleave: s.Interleave,
		Stdin:      s.Stdin,
		MayPause:   s.MayPause,
	}
	p.Resources.MemoryMax += s.MemoryExtra
	return p
}

// rlimits bound a process, or a user, where the cgroup bounds the job. There is no RLIMIT_AS: the JVM, V8 and Go reserve
// far more address space than they use.
func rlimits(l job.Limits) []nsjail.Rlimit {
	fixed := func(kind int, n int64) nsjail.Rlimit {
		return nsjail.Rlimit{Type: kind, Soft: uint64(n), Hard: uint64(n)}
	}
	return []nsjail.Rlimit{
		fixed(unix.RLIMIT_NOFILE, l.OpenFiles),
		// 1 and not 0: no file is made for either, but a handler of the host (a core_pattern with a |) is started for all but 1; see
		// fs/coredump.c. The filter keeps it so.
		fixed(unix.RLIMIT_CORE, 1),
		fixed(unix.RLIMIT_FSIZE, l.FileSizeBytes),
		// Above pids.max, which counts every process of the job and leaves evidence when it refuses one.
		fixed(unix.RLIMIT_NPROC, l.PidsMax+16),
		fixed(unix.RLIMIT_STACK, l.StackBytes),
		fixed(unix.RLIMIT_MEMLOCK, 64<<10),
		// A backstop for one process; the limit proper is on all of them together.
		fixed(unix.RLIMIT_CPU, (l.CPUMs+999)/1000+1),
		fixed(unix.RLIMIT_MSGQUEUE, 0),
		fixed(unix.RLIMIT_SIGPENDING, 1024),
		fixed(unix.RLIMIT_NICE, 0),
		fixed(unix.RLIMIT_RTPRIO, 0),
	}
}
