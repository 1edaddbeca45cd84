// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// priorities are the words for a job's place among its own tenant's jobs.
var priorities = map[string]queue.Priority{"low": queue.Low, "normal": queue.Normal, "high": queue.High}

// PriorityWord returns the word for a priority.
func PriorityWord(p queue.Priority) string {
	for word, q := range priorities {
		if q == p {
			return word
		}
	}
	return "normal"
}

// Terms are the settings by which a submission is read.
type Terms struct {
	Languages []job.Language // that can be submitted
	Webhooks  webhook.Policy // where webhooks may go
	Strict    bool           // members that have no meaning are an error
}

// Submission is a job as a request describes it.
type Submission struct {
	submit.Submission
	Ignored []string // names of members that have no meaning here; at most maxIgnored, each cut
}

// SubmissionMembers are the members of a submission. Others are ignored, as the contract says, and reported: a misspelt limit would not
// apply, and nobody would notice.
var SubmissionMembers = []string{"language", "sourceCode", "stdin", "stdinBase64", "files", "args", "env", "outputFiles", "timeoutMs", "memoryMb", "cpuMillicores",
	"compile", "run", "interleave", "network", "priority", "webhook", "tests", "compare", "checker", "stopOnFailure"}

// The bounds of the report of ignored members.
const (
	maxIgnored      = 20 // names
	maxIgnoredBytes = 64 // of each name
)

// ignored returns the names of members that have no meaning.
func (o *object) ignored() []string {
	names := o.unknown(SubmissionMembers)
	names = names[:min(len(names), maxIgnored)]
	for i, name := range names {
		if len(name) > maxIgnoredBytes {
			names[i] = strings.ToValidUTF8(name[:maxIgnoredBytes], "") + "..."
		}
	}
	return names
}

// Job reads the body of a POST /v1/jobs and notes its faults in iss. When there are any, the submission is not to be used.
func (t Terms) Job(b Body, iss *Issues) Submission {
	o := b.object(iss)
	if o == nil {
		return Submission{}
	}
	sub := o.submission(t)
	if t.Strict && sub.Ignored != nil {
		iss.Form(msgUnknown(sub.Ignored))
	}
	return sub
}

// submission reads the members of a submission.
func (o *object) submission(t Terms) Submission {
	sub := Submission{Ignored: o.ignored()}
	lang := o.language(t.Languages)
	spec := &sub.Spec
	spec.Language = lang.Name
	spec.Files = o.files()
	spec.Source = o.sourceCode(lang, spec.Files)
	spec.Stdin = o.stdin()
	spec.Args = o.strings("args", job.MaxArgs)
	spec.Env = o.env()
	spec.OutputFiles = o.strings("outputFiles", job.MaxGlobs)
	spec.Compile = o.object("compile").readLimits(lang.MinCompile)
	spec.Run = o.object("run").readLimits(lang.MinRun)
	o.readContractLimits(&spec.Run, lang.MinRun)
	spec.Interleave = o.flag("interleave")
	spec.Network = o.network()
	sub.Priority = o.priority()
	sub.Webhook = o.webhook(t.Webhooks)
	effective := spec.Run.Effective(lang.DefaultRun, job.DefaultRun)
	spec.Tests = o.tests(lang, t.Languages, effective)
	o.checkTail("run", effective)
	o.checkTail("compile", spec.Compile.Effective(lang.DefaultCompile, job.DefaultCompile))
	if !o.iss.Any() {
		o.note(validate(*spec))
	}
	sub.Request = queue.Request{
		TimeoutMs:     effective.WallMs,
		MemoryMb:      effective.MemoryBytes / job.MiB,
		CPUMillicores: effective.CPUMillicores,
	}
	return sub
}

// validate is the spec's own validation. It wants an id, which a job gets only when it is submitted.
func validate(spec job.Spec) error {
	spec.ID = "unsubmitted"
	return spec.Validate()
}

// note adds a fault that job.Spec finds.
func (o *object) note(err error) {
	var e *job.Error
	switch {
	case err == nil:
	case errors.As(err, &e):
		o.wrong(e.Field, e.Message)
	default:
		o.iss.Form(err.Error())
	}
}

// strings returns an array of at most max strings.
func (o *object) strings(name string, max int) []string {
	var list []string
	for i, raw := range o.list(name, max) {
		if k := kind(raw); k != "string" {
			o.wrong(name, fmt.Sprintf("[%d]: %s", i, msgType("string", k)))
			continue
		}
		if job.LoneSurrogate(raw) {
			o.wrong(name, fmt.Sprintf("[%d]: %s", i, msgSurrogate))
			continue
		}
		list = append(list, text(raw))
	}
	return list
}

// env returns additions to the program's environment.
func (o *object) env() map[string]string {
	vars := o.object("env")
	if vars == nil {
		return nil
	}
	env := make(map[string]string, len(vars.members))
	for name := range vars.members {
		env[name], _ = vars.text(name)
	}
	return env
}

// network returns the network that the job asks for, "" if it names none.
func (o *object) network() string {
	word, ok := o.text("network")
	if ok && word != job.NetworkNone && word != job.NetworkLoopback {
		o.wrong("network", msgEnum([]string{job.NetworkNone, job.NetworkLoopback}, word))
	}
	return word
}

// priority returns the job's place among its tenant's jobs, normal when it isn't given.
func (o *object) priority() queue.Priority {
	word, ok := o.text("priority")
	if !ok {
		return queue.Normal
	}
	p, known := priorities[word]
	if !known {
		o.wrong("priority", msgEnum([]string{"low", "normal", "high"}, word))
	}
	return p
}
