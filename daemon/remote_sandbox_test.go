// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/job"
)

// host is a network namespace: another machine, as far as the network goes.
type host struct{ name string }

// newHosts returns two hosts joined by a cable, with the addresses 10.77.0.1 and 10.77.0.2.
func newHosts(t *testing.T) (a, b host) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		cannot(t, "needs ip: apt-get install iproute2")
	}
	ip := func(args string) error {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
		return nil
	}
	a, b = host{fmt.Sprintf("ccee-a-%d", os.Getpid())}, host{fmt.Sprintf("ccee-b-%d", os.Getpid())}
	for _, h := range []host{a, b} {
		if err := ip("netns add " + h.name); err != nil {
			cannot(t, "needs network namespaces: %v", err)
		}
		t.Cleanup(func() { _ = ip("netns del " + h.name) })
	}
	for _, args := range []string{
		"link add cable netns " + a.name + " type veth peer name cable netns " + b.name,
		"-n " + a.name + " addr add 10.77.0.1/24 dev cable", "-n " + b.name + " addr add 10.77.0.2/24 dev cable",
		"-n " + a.name + " link set cable up", "-n " + b.name + " link set cable up",
		"-n " + a.name + " link set lo up", "-n " + b.name + " link set lo up",
	} {
		if err := ip(args); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// on calls do on a thread of the host: sockets that are made there belong to it for ever.
func (h host) on(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- func() error {
			ns, err := os.Open(filepath.Join("/run/netns", h.name))
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter %s: %w", h.name, err)
			}
			return do()
		}()
	}()
	return <-done
}

// TestRemoteHello: real programs are run for a caller on another host.
func TestRemoteHello(t *testing.T) {
	here, there := newHosts(t)
	m := newMachines(t)
	r := m.remote(t)
	s := realDaemon(t, nil)
	r.Address = "10.77.0.1:8443"
	if err := here.on(func() error { return s.listenRemote(r) }); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.ends()[1].http.Serve(s.Server.remote) }() // it ends when the daemon closes the listener
	worker := m.open(t, "worker", cert.Worker)
	far := &served{Server: s.Server, log: s.log, base: "https://10.77.0.1:8443"}
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = there.on(func() error {
			conn, err = (&tls.Dialer{Config: worker.ClientConfig("127.0.0.1")}).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	far.http = &http.Client{Transport: &http.Transport{DialTLSContext: dial}}
	defer far.http.CloseIdleConnections()
	for _, language := range []struct{ name, source string }{
		{"python", "print(6*7)"}, {"javascript", "console.log(6*7)"},
		{"java", "class Main { public static void main(String[] a) { System.out.println(6*7); } }"},
	} {
		res := far.runSpec(t, job.Spec{ID: "far-" + language.name, Language: language.name, Source: language.source})
		if step := last(t, res); step.Verdict != job.Exited || string(step.Stdout.Data) != "42\n" {
			t.Errorf("%s: %s", language.name, describeStep(step))
		}
	}
	if !strings.Contains(s.log.String(), `"peer":"10.77.0.2:`) {
		t.Error("the log does not have the caller's address")
	}
}
