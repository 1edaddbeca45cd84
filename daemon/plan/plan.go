package daemon

import (
	"maps"
	"path"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// Ids and places inside every sandbox.
const (
	insideID = 1000 // uid and gid of the program
	hostname = "sandbox"
	workDir  = "/workspace"

	// firstHostID is where the slots' host ids begin: far above what distributions and container engines hand out, below
	// 2^31 for the sake of old tools.
	firstHostID = 1_879_048_192

	shmBytes = 64 * job.MiB // /dev/shm, as Docker's default; it is charged to the job's memory
)

// plan is what a job comes to in kernel words, before anything is done. It is made by pure functions.
type plan struct {
	tenant  string // whose job it is
	lang    job.Language
	steps   []step
	outputs job.Globs // of what is read when the last step is over; nil for nothing

	loopback bool // the sandboxes have a network of their own, see job.NetworkLoopback

	source, class string // see sourceNames
}

// step is one program of a plan.
type step struct {
	name   string // "compile" or "run"
	args   []string
	env    []string
	stdin  []byte
	files  []nsjail.File // written before the program starts
	source int           // see nsjail.Process.Source
	limits job.Limits

	interleave bool
	test       int  // see job.Event
	after      bool // another step of the job, in the same sandbox

	// Of a step that goes on as a program which was started ahead; see warm.go.
	mayPause bool
	extra    int64 // bytes of memory that are not the job's
}

// newPlan works out the steps of spec in lang. Its errors are the caller's: *job.Error with code EInvalid.
func newPlan(spec job.Spec, lang job.Language) (plan, error) {
	compile, run, err := stepLimits(&spec, &lang)
	if err != nil {
		return plan{}, err
	}
	source, class, err := sourceNames(&spec, &lang)
	if err != nil {
		return plan{}, err
	}
	files, err := planFiles(&spec, source)
	if err != nil {
		return plan{}, err
	}
	outputs, err := job.ParseGlobs(spec.OutputFiles)
	if err != nil {
		return plan{}, err
	}
	p := plan{tenant: spec.Tenant, lang: lang, outputs: outputs, loopback: spec.Network == job.NetworkLoopback, source: source, class: class}
	if len(lang.Compile) > 0 {
		p.steps = append(p.steps, step{
			name:   "compile",
			args:   expand(lang.Compile, words(source, class, compile)),
			env:    environment(lang.Env, nil, words(source, class, compile)),
			limits: compile,
		})
	}
	p.steps = append(p.steps, p.run(&spec, run))
	p.steps[0].files = files
	for i := range p.steps {
		p.steps[i].interleave, p.steps[i].after = spec.Interleave, i > 0
	}
	return p, nil
}

// run is the run step of spec under these limits, without files.
func (p *plan) run(spec *job.Spec, l job.Limits) step {
	w := words(p.source, p.class, l)
	return step{
		name:   "run",
		args:   append(expand(p.lang.Run, w), spec.Args...),
		env:    environment(p.lang.Env, spec.Env, w),
		stdin:  spec.Stdin,
		limits: l,
	}
}

// planFiles lists the source and the job's files. Two files that can't exist together are refused here: inside the sandbox
// it would look like a fault of ours.
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

// words are those of a step under l. Clients of the original write 1024 for a core.
func words(source, class string, l job.Limits) job.Words {
	return job.Words{Source: source, Class: class, MemoryBytes: l.MemoryBytes, CPUs: min((l.CPUMillicores+1023)/1024, int64(runtime.NumCPU()))}
}

func expand(args []string, w job.Words) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = w.Expand(a)
	}
	return out
}

// environment is the whole environment of a program, sorted: the base, then the language's, then the job's, each winning
// over what comes before it. The language's values may have words.
func environment(lang, spec map[string]string, w job.Words) []string {
	all := map[string]string{
		"PATH":   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME":   workDir,
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

// need is what p takes out of the budgets.
func (p plan) need() need {
	n := need{tenant: p.tenant}
	for _, s := range p.steps {
		n.memory = max(n.memory, s.limits.MemoryBytes+beside(s.limits))
		n.millicores = max(n.millicores, s.limits.CPUMillicores)
		n.pids = max(n.pids, s.limits.PidsMax+1)
	}
	return n
}

// config describes the sandbox for all of p's steps, on the image unpacked at root and with the host ids of that slot.
func (p plan) config(root string, slot int) nsjail.Config {
	// The sandbox's mounts outlive the steps, so they have the larger size of them; each step's memory limit still holds.
	var l job.Limits
	for _, s := range p.steps {
		l.WorkspaceBytes = max(l.WorkspaceBytes, s.limits.WorkspaceBytes)
		l.WorkspaceInodes = max(l.WorkspaceInodes, s.limits.WorkspaceInodes)
		l.TmpBytes = max(l.TmpBytes, s.limits.TmpBytes)
		l.TmpInodes = max(l.TmpInodes, s.limits.TmpInodes)
	}
	ids := idMap(slot)
	cfg := nsjail.Config{
		Root:        root,
		Hostname:    hostname,
		UIDMappings: ids,
		GIDMappings: ids,
		Mounts: []nsjail.Tmpfs{
			{Destination: "workspace", Size: l.WorkspaceBytes, Inodes: l.WorkspaceInodes, Mode: 0o755, UID: insideID, GID: insideID, Exec: true, Symlinks: true},
			{Destination: "tmp", Size: l.TmpBytes, Inodes: l.TmpInodes, Mode: 0o1777, Symlinks: true},
			{Destination: "dev/shm", Size: min(shmBytes, l.TmpBytes), Inodes: l.TmpInodes, Mode: 0o1777},
		},
		MaskedPaths: maskedPaths(),
		Loopback:    p.loopback,
		Resources:   resources(p.steps[0].limits),
	}
	if p.outputs != nil {
		cfg.OpenDir = workDir
	}
	return cfg
}

// idMap maps root and the program's id inside to two host ids that no other slot has: what the kernel counts by user
// (processes, keys, inotify watches, message queues) is then counted by job.
func idMap(slot int) []nsjail.IDMap {
	first := int64(firstHostID + 2*slot)
	return []nsjail.IDMap{
		{ContainerID: 0, HostID: first, Size: 1},
		{ContainerID: insideID, HostID: first + 1, Size: 1},
	}
}

func resources(l job.Limits) nsjail.Resources {
	return nsjail.Resources{MemoryMax: l.MemoryBytes, PidsMax: l.PidsMax, CPUMillicores: l.CPUMillicores}
}

// process describes the program of s under the filter f.
func (s step) process(f filter) nsjail.Process {
	l := s.limits
	p := nsjail.Process{
		Args: s.args, Env: s.env, Cwd: workDir,
		UID: insideID, GID: insideID, Umask: 0o022,
		Rlimits:   rlimits(l),
		Seccomp:   f.bpf,
		Decide:    f.decide,
		Files:     s.files,
		Source:    s.source,
		Resources: resources(l),
		WallTime:  time.Duration(l.WallMs) * time.Millisecond,
		CPUTime:   time.Duration(l.CPUMs) * time.Millisecond,
		OutputMax: l.OutputBytes,
		FloodMax:  l.FloodBytes,

		OutputTail: l.OutputTailBytes,
		Interleave: s.interleave,
		Stdin:      s.stdin,
		MayPause:   s.mayPause,
	}
	p.Resources.MemoryMax += s.extra
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
