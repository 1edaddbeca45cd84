// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestDaemonPulls starts a daemon without images, which pulls one over HTTPS as from a bucket and runs a job in it. Where there is none
// of that digest, the daemon ends with an error.
func TestDaemonPulls(t *testing.T) {
	requireHost(t)
	srv := httptest.NewTLSServer(http.StripPrefix("/images", http.FileServer(http.Dir(images()))))
	defer srv.Close()
	dir, err := os.MkdirTemp("", "ccee-e2e-pull-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ca := filepath.Join(dir, "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "daemon.sock")
	daemon := func(digest string) *exec.Cmd {
		cmd := exec.Command(binary, "daemon", "--socket", socket, "--images", filepath.Join(dir, "images"), "--cgroup", cgroupName("pull"))
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca, "CCEE_PULL="+srv.URL+"/images@"+digest)
		return cmd
	}
	python := imageDigest(t, "python")
	out, err := daemon("sha256:" + strings.Repeat("0", 64)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "404") {
		t.Errorf("with a digest that is not there: %v\n%s", err, out)
	}
	cmd := daemon(python)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	patience.Until(t, "the daemon serves", func() (bool, string) {
		out, err := exec.Command(binary, "health", "--socket", socket, "daemon").CombinedOutput()
		return err == nil, string(out)
	})
	hello, err := exec.Command(binary, "run", "--socket", socket, "../images/python/hello.py").CombinedOutput()
	if err != nil || string(hello) != "Hello from Python\n" {
		t.Errorf("got %q, %v", hello, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	patience.Receive(t, ended, "the daemon ends")
	if !strings.Contains(log.String(), "python: pulled") || !strings.Contains(log.String(), " of ") {
		t.Errorf("there is no progress in the log:\n%s", log.String())
	}
}

// imageDigest returns the digest of an image of the store.
func imageDigest(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command(binary, "image", "list", "--json", "--images", images()).Output()
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Images []struct{ Name, Digest string }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	for _, i := range list.Images {
		if i.Name == name {
			return i.Digest
		}
	}
	t.Fatalf("no image %s in %s", name, out)
	return ""
}
