// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/seccomp"
)

// filter is the seccomp policy as sandboxes take it.
type filter struct {
	bpf    []byte
	decide func(nsjail.Syscall) nsjail.Answer // for the calls that bpf asks about
	name   func(nsjail.Syscall) string
}

// on is p under the filter.
func (f filter) on(p nsjail.Process) nsjail.Process {
	p.Seccomp, p.Decide = f.bpf, f.decide
	return p
}

// filters are the filters of a policy: for jobs with a loopback device, and for those without any network.
type filters struct{ loopback, none filter }

// of is the filter for the steps of p.
func (f filters) of(p plan.Plan) filter {
	if p.Loopback {
		return f.loopback
	}
	return f.none
}

// newFilters compiles p. It refuses a policy that sandboxes can't apply as a whole: leaving a part out would allow more than its
// author meant.
func newFilters(p *seccomp.Policy, tier string, log zerolog.Logger) (filters, error) {
	program, err := p.CompileNotify()
	if err != nil {
		return filters{}, fmt.Errorf("compile the seccomp policy: %w", err)
	}
	if program.Notify {
		return filters{}, errors.New("the seccomp policy has SCMP_ACT_NOTIFY, which nobody would answer: use SCMP_ACT_ERRNO or SCMP_ACT_KILL_PROCESS")
	}
	if len(program.Flags) > 0 {
		return filters{}, fmt.Errorf("the seccomp policy has the flags %v: remove them, sandboxes load their filter without any", program.Flags)
	}
	log.Info().Str("policy", program.Digest).Strs("unknownSyscalls", program.Unknown).Msg("seccomp policy compiled")
	if tier == TierTask {
		unshared := newFilter(program.Unshared())
		return filters{unshared, unshared}, nil
	}
	return filters{newFilter(program), newFilter(program.WithoutNetwork())}, nil
}

func newFilter(program seccomp.NotifyProgram) filter {
	return filter{
		bpf: program.BPF,
		decide: func(c nsjail.Syscall) nsjail.Answer {
			d := program.Answer(c.Arch, c.Nr, c.Args)
			_, known := program.Target.NameOn(c.Arch, c.Nr)
			if d.Action == seccomp.ActAllow || d.Action == seccomp.ActLog {
				return nsjail.Answer{Allow: true}
			}
			if d.Action == seccomp.ActErrno {
				return nsjail.Answer{Errno: d.Errno, Unknown: !known}
			}
			return nsjail.Answer{Kill: true, Unknown: !known}
		},
		name: func(c nsjail.Syscall) string {
			name, _ := program.Target.NameOn(c.Arch, c.Nr)
			return name
		},
	}
}

// CheckPolicy reports why a daemon could not serve with that policy.
func CheckPolicy(p *seccomp.Policy) error {
	_, err := newFilters(p, jailTier, zerolog.Nop())
	return err
}

// lenient is f, but refuses calls for which f kills the program, so that one that tries many calls gets to its end.
func (f filter) lenient() filter {
	strict := f.decide
	f.decide = func(c nsjail.Syscall) nsjail.Answer {
		if a := strict(c); !a.Kill {
			return a
		}
		return nsjail.Answer{Errno: unix.EPERM}
	}
	return f
}

// denied lists the calls that were refused.
func (f filter) denied(r nsjail.Result) []job.DeniedSyscall {
	var out []job.DeniedSyscall
	for _, d := range r.Denied {
		s := job.DeniedSyscall{Name: f.name(d.Syscall), Nr: d.Nr, Count: d.Count, Killed: d.Kill}
		for _, a := range d.Args {
			s.Args = append(s.Args, "0x"+strconv.FormatUint(a, 16))
		}
		if !d.Kill {
			s.Errno = unix.ErrnoName(d.Errno)
		}
		out = append(out, s)
	}
	if r.DeniedMissed > 0 {
		out = append(out, job.DeniedSyscall{Name: "others", Nr: -1, Count: r.DeniedMissed})
	}
	return out
}
