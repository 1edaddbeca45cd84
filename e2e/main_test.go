// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the finished binary as its users have it: bin/ccee is started, asked over REST, the unix socket and the
// command line, and killed. Nothing here looks inside.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ccee-dev/ccee/e2e/fargate"
)

// binary is the absolute path of bin/ccee.
var binary string

func TestMain(m *testing.M) {
	fargate.Enter()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	root, err := filepath.Abs("..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(root, "bin", "ccee")
	// What is tested must be what is in the tree; without changes this is a second.
	build := exec.Command("make", "--no-print-directory", "-C", root, "build")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "make build: %v\n%s", err, out)
		return 1
	}
	defer shared.stop()
	code := m.Run()
	for _, a := range broken.answers {
		fmt.Fprintln(os.Stderr, "not as the contract says:", a)
		code = 1
	}
	return code
}

// requireHost skips a test on a machine that can't run jails. SANDBOX_MUST_WORK=1 makes that a failure.
func requireHost(t *testing.T) {
	t.Helper()
	missing := ""
	switch {
	case os.Geteuid() != 0:
		missing = "jails need root"
	case !hasImages():
		missing = "there are no images in " + images() + ": run make images"
	default:
		if _, err := exec.LookPath("redis-server"); err != nil {
			missing = "redis-server is not installed: run make deps"
		}
	}
	switch {
	case missing == "":
	case os.Getenv("SANDBOX_MUST_WORK") == "1":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

func images() string {
	if dir := os.Getenv("CCEE_IMAGES"); dir != "" {
		return dir
	}
	return "/var/lib/ccee/images"
}

func hasImages() bool {
	_, err := os.Stat(filepath.Join(images(), "index.json"))
	return err == nil
}
