// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Action is the effect of a filter on a call; see seccomp(2).
type Action string

// The actions. NOTIFY leaves the decision to the process that holds the filter's listener.
const (
	ActKillProcess Action = "SCMP_ACT_KILL_PROCESS"
	ActKillThread  Action = "SCMP_ACT_KILL_THREAD"
	ActKill        Action = "SCMP_ACT_KILL" // an older name of KILL_THREAD
	ActTrap        Action = "SCMP_ACT_TRAP"
	ActErrno       Action = "SCMP_ACT_ERRNO"
	ActTrace       Action = "SCMP_ACT_TRACE"
	ActNotify      Action = "SCMP_ACT_NOTIFY"
	ActLog         Action = "SCMP_ACT_LOG"
	ActAllow       Action = "SCMP_ACT_ALLOW"
)

// Op compares an argument with Arg.Value; see seccomp_rule_add(3).
type Op string

// The comparisons, of unsigned 64-bit numbers.
const (
	OpNotEqual     Op = "SCMP_CMP_NE"
	OpLess         Op = "SCMP_CMP_LT"
	OpLessEqual    Op = "SCMP_CMP_LE"
	OpEqual        Op = "SCMP_CMP_EQ"
	OpGreaterEqual Op = "SCMP_CMP_GE"
	OpGreater      Op = "SCMP_CMP_GT"
	OpMaskedEqual  Op = "SCMP_CMP_MASKED_EQ" // argument & Value == ValueTwo
)

// Policy is a seccomp profile as the OCI runtime specification and Docker write it. Those that Parse, Load and Default return
// must not be changed afterwards.
type Policy struct {
	DefaultAction Action    `json:"defaultAction"`
	DefaultErrno  *uint16   `json:"defaultErrnoRet,omitempty"` // nil: EPERM
	Architectures []Arch    `json:"architectures,omitempty"`
	ArchMap       []ArchMap `json:"archMap,omitempty"` // Docker's form of Architectures
	Flags         []Flag    `json:"flags,omitempty"`
	Syscalls      []Syscall `json:"syscalls"`

	digest string // of the bytes it was parsed from
}

// ArchMap names an architecture. Its sub-architectures are read and left out: see the package comment.
type ArchMap struct {
	Arch    Arch   `json:"architecture"`
	SubArch []Arch `json:"subArchitectures,omitempty"`
}

// Flag is a flag of seccomp(2) that the filter wants to be loaded with.
type Flag string

// The flags.
const (
	FlagTsync     Flag = "SECCOMP_FILTER_FLAG_TSYNC"
	FlagLog       Flag = "SECCOMP_FILTER_FLAG_LOG"
	FlagSpecAllow Flag = "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
	FlagWaitKill  Flag = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
)

// Syscall is one rule: calls of these names, all of whose Args hold, get Action.
type Syscall struct {
	Names    []string   `json:"names,omitempty"`
	Name     string     `json:"name,omitempty"` // an older form of Names
	Action   Action     `json:"action"`
	Errno    *uint16    `json:"errnoRet,omitempty"` // nil: EPERM
	Args     []Arg      `json:"args,omitempty"`
	Comment  string     `json:"comment,omitempty"`
	Includes *Condition `json:"includes,omitempty"` // the rule holds only where all of this does
	Excludes *Condition `json:"excludes,omitempty"` // the rule doesn't hold where any of this does
}

// Arg is a comparison with the argument number Index, from 0.
type Arg struct {
	Index    uint   `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo,omitempty"` // only for OpMaskedEqual
	Op       Op     `json:"op"`
}

// Condition says on which hosts a rule holds.
type Condition struct {
	Caps      []string `json:"caps,omitempty"`      // "CAP_SYS_ADMIN"
	Arches    []string `json:"arches,omitempty"`    // in Go's words: "amd64", "arm64"
	MinKernel string   `json:"minKernel,omitempty"` // "4.8"
}

// maxSize bounds a policy, in bytes. Docker's own has 15 KiB.
const maxSize = 1 << 20

//go:embed default.json
var defaultJSON []byte

// Default returns the policy that we ship: an allow list that runs CPython, Node, the JVM and usual programs.
func Default() *Policy {
	p, err := Parse(defaultJSON)
	if err != nil {
		panic("seccomp: the embedded default.json: " + err.Error()) // a test parses it
	}
	return p
}

// Load reads the policy in the named file.
func Load(path string) (*Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seccomp policy: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("seccomp policy %s: %w", path, err)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads a policy. Its errors say which member is wrong: "seccomp policy: syscalls[3].args[0].op: ...".
func Parse(data []byte) (*Policy, error) {
	p, err := decode(data)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("seccomp policy: %w", err)
	}
	p.digest = digestOf(data)
	return p, nil
}

// Digest identifies the policy in logs and caches: "sha256:" and the hash of the bytes that it was parsed from.
func (p *Policy) Digest() string {
	if p.digest != "" {
		return p.digest
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic("seccomp: marshal a Policy: " + err.Error()) // it has only strings and numbers
	}
	return digestOf(data)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
