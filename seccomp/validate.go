// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxErrno is the largest error number that libseccomp takes. A system call could return one more.
const maxErrno = 4094

// Validate returns the first fault of the policy, with its place. Parse has called it already.
func (p *Policy) Validate() error {
	if err := checkAction("defaultAction", p.DefaultAction); err != nil {
		return err
	}
	if p.DefaultAction == ActNotify {
		return errors.New("defaultAction: SCMP_ACT_NOTIFY is for single calls: the one that answers must be able to run")
	}
	if err := checkErrno("defaultErrnoRet", p.DefaultAction, p.DefaultErrno); err != nil {
		return err
	}
	if err := p.checkArchs(); err != nil {
		return err
	}
	for i, f := range p.Flags {
		if !slices.Contains([]Flag{FlagTsync, FlagLog, FlagSpecAllow, FlagWaitKill}, f) {
			return fmt.Errorf("flags[%d]: unknown flag %q", i, f)
		}
	}
	for i, s := range p.Syscalls {
		if err := s.validate(); err != nil {
			return fmt.Errorf("syscalls[%d]%w", i, err)
		}
	}
	return nil
}

func (p *Policy) checkArchs() error {
	if len(p.Architectures) > 0 && len(p.ArchMap) > 0 {
		return errors.New("architectures and archMap say the same thing: leave one out")
	}
	for i, a := range p.Architectures {
		if !a.known() {
			return fmt.Errorf("architectures[%d]: unknown architecture %q", i, a)
		}
	}
	for i, m := range p.ArchMap {
		if !m.Arch.known() {
			return fmt.Errorf("archMap[%d].architecture: unknown architecture %q", i, m.Arch)
		}
		for j, a := range m.SubArch {
			if !a.known() {
				return fmt.Errorf("archMap[%d].subArchitectures[%d]: unknown architecture %q", i, j, a)
			}
		}
	}
	return nil
}

// validate returns errors that begin with the path below the rule: ".action: ...".
func (s Syscall) validate() error {
	if (s.Name == "") == (len(s.Names) == 0) {
		return errors.New(": give either names or name")
	}
	for i, name := range s.names() {
		if err := checkName(name); err != nil {
			return fmt.Errorf(".names[%d]: %w", i, err)
		}
	}
	if err := checkAction(".action", s.Action); err != nil {
		return err
	}
	if err := checkErrno(".errnoRet", s.Action, s.Errno); err != nil {
		return err
	}
	seen := map[uint]bool{}
	for i, a := range s.Args {
		if err := a.validate(); err != nil {
			return fmt.Errorf(".args[%d]%w", i, err)
		}
		if seen[a.Index] {
			return fmt.Errorf(".args[%d].index: argument %d is tested twice; write a rule for each test that is enough alone", i, a.Index)
		}
		seen[a.Index] = true
	}
	if err := s.Includes.validate(); err != nil {
		return fmt.Errorf(".includes%w", err)
	}
	if err := s.Excludes.validate(); err != nil {
		return fmt.Errorf(".excludes%w", err)
	}
	return nil
}

func (s Syscall) names() []string {
	if s.Name != "" {
		return []string{s.Name}
	}
	return s.Names
}

func (a Arg) validate() error {
	if a.Index > 5 {
		return fmt.Errorf(".index: a system call has the arguments 0 to 5, not %d", a.Index)
	}
	switch a.Op {
	case OpMaskedEqual:
		if a.ValueTwo&^a.Value != 0 {
			return fmt.Errorf(".valueTwo: %#x has bits outside the mask (value) %#x, so this never holds", a.ValueTwo, a.Value)
		}
		return nil
	case OpNotEqual, OpLess, OpLessEqual, OpEqual, OpGreaterEqual, OpGreater:
		if a.ValueTwo != 0 {
			return fmt.Errorf(".valueTwo: only SCMP_CMP_MASKED_EQ has a second value")
		}
		if len(a.matches()) == 0 {
			return fmt.Errorf(".value: nothing is %s %d, so this never holds", a.Op, a.Value)
		}
		return nil
	}
	return fmt.Errorf(".op: unknown comparison %q", a.Op)
}

func (c *Condition) validate() error {
	if c == nil {
		return nil
	}
	for i, name := range c.Caps {
		if rest, ok := strings.CutPrefix(name, "CAP_"); !ok || rest == "" || strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
			return fmt.Errorf(".caps[%d]: %q is not a capability like CAP_SYS_ADMIN", i, name)
		}
	}
	for i, name := range c.Arches {
		if !slices.Contains(strings.Fields(dockerArches), name) {
			return fmt.Errorf(".arches[%d]: unknown architecture %q", i, name)
		}
	}
	if c.MinKernel != "" {
		if _, err := parseKernel(c.MinKernel); err != nil {
			return fmt.Errorf(".minKernel: %w", err)
		}
	}
	return nil
}

// dockerArches are the words of includes and excludes.
const dockerArches = "amd64 x86 x32 arm arm64 mips mips64 mips64n32 mipsel mipsel64 mipsel64n32 mips64le ppc ppc64 ppc64le " +
	"s390 s390x riscv64 loong64"

func checkAction(path string, a Action) error {
	switch a {
	case ActKillProcess, ActKillThread, ActKill, ActTrap, ActErrno, ActTrace, ActNotify, ActLog, ActAllow:
		return nil
	case "":
		return fmt.Errorf("%s: missing", path)
	}
	return fmt.Errorf("%s: unknown action %q", path, a)
}

func checkErrno(path string, a Action, errno *uint16) error {
	switch {
	case errno == nil:
		return nil
	case a != ActErrno && a != ActTrace:
		return fmt.Errorf("%s: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have a number, not %s", path, a)
	case *errno > maxErrno:
		return fmt.Errorf("%s: error numbers end at %d, not %d", path, maxErrno, *errno)
	}
	return nil
}
