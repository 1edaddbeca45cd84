// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"syscall"
	"time"
)

//go:embed startmoto.py
var startMoto string

// Moto is a server of moto, which imitates AWS, on a port of loopback.
type Moto struct {
	URL *url.URL
	cmd *exec.Cmd
}

// StartMoto starts one and waits until it answers. Its credentials are test and test.
func StartMoto(ctx context.Context) (*Moto, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	cmd := exec.Command("python3", "-c", startMoto, "-H", "127.0.0.1", "-p", port)
	cmd.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start moto: %w", err)
	}
	m := &Moto{URL: &url.URL{Scheme: "http", Host: address}, cmd: cmd}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	for {
		select {
		case err := <-exited:
			return nil, fmt.Errorf("moto ended: %w (is it installed? pip install 'moto[server]')", err)
		case <-ctx.Done():
			m.Close()
			return nil, fmt.Errorf("moto did not answer on %s: %w", address, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
		if m.answers(ctx) {
			return m, nil
		}
	}
}

func (m *Moto) answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL.String()+"/moto-api/data.json", nil)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Proxy passes requests on to it, for Options.Next.
func (m *Moto) Proxy() http.Handler { return httputil.NewSingleHostReverseProxy(m.URL) }

// Close ends it.
func (m *Moto) Close() {
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(err)
	}
}
