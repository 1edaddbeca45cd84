package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// maxTextChars bounds sourceCode and stdin, in UTF-16 code units.
const maxTextChars = 100_000

// priorities are the words for a job's place among its own tenant's jobs.
var priorities = map[string]queue.Priority{"low": queue.Low, "normal": queue.Normal, "high": queue.High}

// submission is a POST /v1/jobs that was found well-formed.
type submission struct {
	spec     job.Spec
	request  queue.Request
	priority queue.Priority
	webhook  queue.Webhook

	key, digest string // of its Idempotency-Key, "" for none

	ignored []string // names of members of the body that mean nothing here; at most maxIgnored, each cut
}

// submissionMembers are the members of a submission. Others are ignored, as the contract says, and reported: a misspelt limit would not be
// in force, and nobody would see it.
var submissionMembers = []string{"language", "sourceCode", "stdin", "stdinBase64", "files", "args", "env", "outputFiles", "timeoutMs", "memoryMb", "cpuMillicores",
	"compile", "run", "interleave", "network", "priority", "webhook", "tests", "compare", "checker", "stopOnFailure"}

// What is reported of ignored members: so many, with so many bytes of each name.
const (
	maxIgnored      = 20
	maxIgnoredBytes = 64
)

// ignored returns the names of members that mean nothing.
func (o *object) ignored() []string {
	names := o.unknown(submissionMembers)
	names = names[:min(len(names), maxIgnored)]
	for i, name := range names {
		if len(name) > maxIgnoredBytes {
			names[i] = strings.ToValidUTF8(name[:maxIgnoredBytes], "") + "..."
		}
	}
	return names
}

// decodeSubmission reads the body of a POST /v1/jobs. It is pure: known are the languages that there are, hooks where webhooks may go. When the issues
// are not empty, the submission is not to be used.
func decodeSubmission(b body, id, tenant string, known []job.Language, hooks webhook.Policy) (submission, *issues) {
	iss := newIssues()
	o := bodyObject(b, iss)
	if o == nil {
		return submission{}, iss
	}
	return o.submission(id, tenant, known, hooks), iss
}

// submission reads the members of a submission.
func (o *object) submission(id, tenant string, known []job.Language, hooks webhook.Policy) submission {
	sub := submission{spec: job.Spec{ID: id, Tenant: tenant}, ignored: o.ignored()}
	lang := o.language(known)
	spec := &sub.spec
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
	sub.priority = o.priority()
	sub.webhook = o.webhook(hooks)
	inForce := spec.Run.InForce(lang.DefaultRun, job.DefaultRun)
	spec.Tests = o.tests(lang, known, inForce)
	o.checkTail("run", inForce)
	o.checkTail("compile", spec.Compile.InForce(lang.DefaultCompile, job.DefaultCompile))
	if !o.iss.any() {
		o.note(spec.Validate())
	}
	sub.request = queue.Request{
		TimeoutMs:     inForce.WallMs,
		MemoryMb:      inForce.MemoryBytes / job.MiB,
		CPUMillicores: inForce.CPUMillicores,
	}
	return sub
}

// note adds what job.Spec itself finds wrong.
func (o *object) note(err error) {
	var e *job.Error
	switch {
	case err == nil:
	case errors.As(err, &e):
		o.wrong(e.Field, e.Message)
	default:
		o.iss.form(err.Error())
	}
}

// language returns the language that was asked for, by its name or an alias.
func (o *object) language(known []job.Language) job.Language {
	names := make([]string, len(known))
	for i, l := range known {
		names[i] = l.Name
	}
	raw, there := o.members["language"]
	switch {
	case !there:
		o.wrong("language", msgRequired)
		return job.Language{}
	case kind(raw) != "string":
		o.wrong("language", msgType(quoteAll(names, " | "), kind(raw)))
		return job.Language{}
	}
	name := text(raw)
	for _, l := range known {
		if l.Name == name || slices.Contains(l.Aliases, name) {
			return l
		}
	}
	o.wrong("language", msgEnum(names, name))
	return job.Language{}
}

// sourceCode returns the program's text. It may be absent when the language's source file is among files. Where it is given,
// no file may be in its way.
func (o *object) sourceCode(lang job.Language, files []job.File) string {
	inFiles := lang.SourceFile != "" && slices.ContainsFunc(files, func(f job.File) bool { return f.Name == lang.SourceFile })
	source, ok := o.text("sourceCode")
	switch _, there := o.members["sourceCode"]; {
	case !there && !inFiles:
		o.wrong("sourceCode", msgRequired)
	case !ok: // absent, or not a string, which is noted
	case source == "":
		o.wrong("sourceCode", msgMinChars(1))
	case utf16Len(source) > maxTextChars:
		o.wrong("sourceCode", msgMaxChars(maxTextChars))
	case inFiles:
		o.wrong("files", fmt.Sprintf("%s is the file that sourceCode is written to: give one of the two", lang.SourceFile))
	default:
		o.keepClear(lang.SourceFile, files)
	}
	return source
}

// keepClear notes a file below the one that sourceCode is written to, or one where its directory must be.
func (o *object) keepClear(source string, files []job.File) {
	for _, f := range files {
		switch {
		case source == "": // the language is not known, which is noted
		case strings.HasPrefix(f.Name, source+"/"):
			o.wrong("files", fmt.Sprintf("%s is the file that sourceCode is written to, so it can't be the directory of %q", source, f.Name))
		case strings.HasPrefix(source, f.Name+"/"):
			o.wrong("files", fmt.Sprintf("%s is the directory of %s, where sourceCode is written to, so it can't be a file", f.Name, source))
		}
	}
}

// stdin returns the program's input, from text or from base64.
func (o *object) stdin() []byte {
	if _, there := o.members["stdinBase64"]; !there {
		s, _ := o.text("stdin")
		if utf16Len(s) > maxTextChars {
			o.wrong("stdin", msgMaxChars(maxTextChars))
		}
		return []byte(s)
	}
	if _, both := o.members["stdin"]; both {
		o.wrong("stdinBase64", "Give stdin or stdinBase64, not both")
	}
	data, _ := o.base64("stdinBase64")
	return data
}

// base64 returns the bytes that a member stands for.
func (o *object) base64(name string) ([]byte, bool) {
	s, ok := o.text(name)
	if !ok {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		o.wrong(name, "Invalid base64")
		return nil, false
	}
	return data, true
}

// files returns the files to put beside the source. Their names are judged by job.Spec.
func (o *object) files() []job.File {
	var files []job.File
	for i, raw := range o.list("files", job.MaxFiles) {
		path := fmt.Sprintf("[%d]", i)
		if k := kind(raw); k != "object" {
			o.wrong("files", path+": "+msgType("object", k))
			continue
		}
		f := o.element("files", i, raw)
		f.only("name", "content", "contentBase64", "executable")
		files = append(files, f.file())
	}
	return files
}

// file returns one element of files.
func (o *object) file() job.File {
	name, ok := o.text("name")
	if _, there := o.members["name"]; !ok && !there {
		o.wrong("name", msgRequired)
	}
	file := job.File{Name: name, Exec: o.flag("executable")}
	_, plain := o.members["content"]
	_, coded := o.members["contentBase64"]
	switch {
	case plain && coded:
		o.wrong("contentBase64", "Give content or contentBase64, not both")
	case coded:
		file.Data, _ = o.base64("contentBase64")
	case plain:
		s, _ := o.text("content")
		file.Data = []byte(s)
	default:
		o.wrong("content", msgRequired)
	}
	return file
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

// env returns what is added to the program's environment.
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

// network is what the job asks to reach, "" if it doesn't say.
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
