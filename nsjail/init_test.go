// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSanitized runs this package's tests once more with a sandbox-init built with AddressSanitizer and UBSan, where any
// report ends the process.
func TestSanitized(t *testing.T) {
	requireSandbox(t)
	if os.Getenv("SANDBOX_INIT") != "" {
		return // this is that run
	}
	init := filepath.Join(t.TempDir(), "sandbox-init")
	main := filepath.Join(t.TempDir(), "main.c")
	// LeakSanitizer wants ptrace, and nothing is allocated anyway.
	const text = "const char *__asan_default_options(void) { return \"detect_leaks=0\"; }\nint main(void) { return 1; }\n"
	if err := os.WriteFile(main, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cc := exec.Command("gcc", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
		"-fno-sanitize-recover=all", "-static-libasan", "-o", init, "init.c", "tree.c", "network.c", main)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run", "Verdicts|Steps|Inside|Escape|Errors|Stdin|Dir|Copy")
	cmd.Env = append(os.Environ(), "SANDBOX_INIT="+init, "SANDBOX_MUST_WORK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestProbe(t *testing.T) {
	requireSandbox(t)
	for _, c := range Probe() {
		if !c.OK && c.Needed {
			t.Errorf("%s: %s (%s)", c.Name, c.Detail, c.Fix)
		}
		if c.Name == "" || c.Detail == "" || c.Fix == "" {
			t.Errorf("incomplete check %+v", c)
		}
	}
}
