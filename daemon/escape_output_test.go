// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"testing"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail/escape"
)

// outputs tries to forge results, to flood, and to hold a job open by its streams.
func (s *served) outputs(t *testing.T) []escape.Outcome {
	const forged = `b'{"type":"result","status":"succeeded","verdict":"exited","exitCode":0,"result":{"status":"succeeded"}}\n'`
	var all []escape.Outcome
	for _, tt := range []struct {
		name, source string
		verdict      job.Verdict
		code         int // when exited
	}{
		{"a result on stdout", "import os\nos.write(1, " + forged + ")\nos._exit(3)", job.Exited, 3},
		{"a result on every other descriptor", "import os\nfor fd in range(3, 1024):\n  try: os.write(fd, " + forged +
			")\n  except OSError: pass\n  else: os._exit(9)\nos._exit(3)", job.Exited, 3},
		{"an exit code of the OOM killer", `import os; os.write(2, b'Killed\n'); os._exit(137)`, job.Exited, 137},
		{"flood of stdout", "import os\nwhile True: os.write(1, b'x' * 65536)", job.OutputLimit, 0},
		{"flood of stderr", "import os\nwhile True: os.write(2, b'x' * 65536)", job.OutputLimit, 0},
		{"flood by children", "import os\nfor _ in range(5): os.fork()\nwhile True: os.write(1, b'x' * 4096)", job.OutputLimit, 0},
		{"flood by another name", "import os\nfd = os.open('/dev/stdout', os.O_WRONLY)\nos.close(1)\nwhile True: os.write(fd, b'x' * 65536)", job.OutputLimit, 0},
		{"stdout held by a daemon", "import os, signal\nif os.fork() == 0:\n  os.setsid()\n  while True: signal.pause()\nos._exit(3)", job.Exited, 3},
		{"all streams closed", "import os\nfor fd in range(3): os.close(fd)\nos._exit(3)", job.Exited, 3},
		{"a pipe of 1 GiB", "import fcntl, os\ntry: fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 30)\nexcept OSError: os._exit(3)", job.Exited, 3},
	} {
		limits := job.Limits{WallMs: 30_000, CPUMs: 30_000, CPUMillicores: 4000, FloodBytes: job.MiB}
		step := last(t, s.runSpec(t, job.Spec{ID: "output", Language: "python", Source: tt.source, Run: limits}))
		code := 0
		if step.ExitCode != nil {
			code = *step.ExitCode
		}
		all = append(all, escape.Outcome{Group: "output", Name: tt.name, Held: step.Verdict == tt.verdict && code == tt.code, Evidence: describeStep(step)})
	}
	mustHold(t, all)
	return all
}
