// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// machines are a daemon's certificates and those of its callers, from one authority.
type machines struct {
	authority *cert.Authority
	dir       string
	now       time.Time
}

func newMachines(t testing.TB) *machines {
	t.Helper()
	now := time.Now()
	a, err := cert.NewAuthority("test", now, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	m := &machines{a, t.TempDir(), now}
	if err := a.Pair().Write(m.dir, cert.AuthorityName, false); err != nil {
		t.Fatal(err)
	}
	return m
}

// issue writes a certificate for localhost and that name, and returns its files.
func (m *machines) issue(t testing.TB, name string, role cert.Role, valid time.Duration) cert.Files {
	t.Helper()
	names := []cert.Name{"ip:127.0.0.1", cert.Name("dns:" + name)}
	p, err := m.authority.Issue(cert.Request{Name: name, Names: names, Role: role, Now: m.now, Valid: valid})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(m.dir, name, true); err != nil {
		t.Fatal(err)
	}
	return cert.Files{Cert: filepath.Join(m.dir, name+".crt"), Key: filepath.Join(m.dir, name+".key"), CA: filepath.Join(m.dir, "ca.crt")}
}

func (m *machines) open(t testing.TB, name string, role cert.Role) *cert.Store {
	t.Helper()
	s, err := cert.Open(m.issue(t, name, role, time.Hour), role, func(err error) { t.Log(err) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// remote are the options of a listener for the caller dns:worker.
func (m *machines) remote(t testing.TB) Remote {
	return Remote{Address: "127.0.0.1:0", Certificates: m.open(t, "daemon", cert.Daemon), Allow: []cert.Name{"dns:worker"}}
}

// caller returns an HTTP client that shows a certificate for that name.
func (m *machines) caller(t testing.TB, name string) *http.Client {
	s := m.open(t, name, cert.Worker)
	c := &http.Client{Transport: &http.Transport{DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&tls.Dialer{Config: s.ClientConfig("127.0.0.1")}).DialContext(ctx, network, address)
	}}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serveRemote is serve with a listener for other machines; ask goes through it.
func serveRemote(t *testing.T, m *machines, run runFunc) *served {
	t.Helper()
	s := serveWith(t, Options{Drain: time.Minute, Remote: m.remote(t)}, run)
	s.http, s.base = m.caller(t, "worker"), "https://"+s.Server.remote.Addr().String()
	return s
}

func TestRemoteRun(t *testing.T) {
	s := serveRemote(t, newMachines(t), prints)
	resp, body := s.ask(t, "POST", "/v1/run", specBody, "application/json")
	if resp.StatusCode != 200 || !strings.Contains(body, `"succeeded"`) || resp.TLS.Version != tls.VersionTLS13 {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
	for _, want := range []string{`"name":"dns:worker","message":"connection accepted"`, `"name":"dns:worker","took"`} {
		// The line of a job comes when its answer is on its way already.
		patience.Until(t, "the log has "+want, func() (bool, string) { said := s.log.String(); return strings.Contains(said, want), said })
	}
	_, body = s.ask(t, "GET", "/metrics", "", "")
	if !strings.Contains(body, "ccee_daemon_connections 1\n") || !strings.Contains(body, "ccee_daemon_certificate_expires_seconds") {
		t.Errorf("metrics:\n%s", body)
	}
}

func TestCapacity(t *testing.T) {
	begun := make(chan string, 1)
	s := serve(t, time.Minute, waits(begun))
	s.prewarmed = func(language string) (int, int) { return map[string]int{"python": 2}[language], 1 }
	var c job.Capacity
	_, body := s.ask(t, "GET", "/v1/capacity", "", "")
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err)
	}
	if c.Protocol != 1 || c.Tier != "jail" || c.Draining || c.Slots != (job.Amount{Total: 1, Free: 1}) ||
		len(c.Images) != 1 || c.Images[0] != (job.ImageCapacity{Language: "python", Ready: 3, Warm: 1}) {
		t.Errorf("%s", body)
	}
	const members = "protocol version tier draining slots memoryBytes cpuMillicores waiting images total free language ready warm"
	for member := range strings.FieldsSeq(members) {
		if !strings.Contains(body, `"`+member+`":`) {
			t.Errorf("%s is missing in %s", member, body)
		}
	}
	s.jobs.drain()
	if _, body := s.ask(t, "GET", "/v1/capacity", "", ""); !strings.Contains(body, `"draining":true`) {
		t.Errorf("while it drains: %s", body)
	}
}

// TestRemoteRefuses: whoever is not the worker gets no answer, is counted by reason, and logged.
func TestRemoteRefuses(t *testing.T) {
	m, others := newMachines(t), newMachines(t)
	s := serveRemote(t, m, prints)
	address := s.Server.remote.Addr().String()
	short := m.issue(t, "worker", cert.Worker, time.Nanosecond)
	expired, err := tls.LoadX509KeyPair(short.Cert, short.Key)
	if err != nil {
		t.Fatal(err)
	}
	good := m.open(t, "worker", cert.Worker)
	for _, tt := range []struct {
		name, reason string
		config       func() *tls.Config
	}{
		{"another authority", "unknown_authority", func() *tls.Config {
			c := others.open(t, "worker", cert.Worker).ClientConfig("127.0.0.1")
			c.RootCAs = good.ClientConfig("").RootCAs
			return c
		}},
		{"another name", "not_allowed", func() *tls.Config { return m.open(t, "stranger", cert.Worker).ClientConfig("127.0.0.1") }},
		{"a daemon", "bad_certificate", func() *tls.Config { return m.open(t, "worker2", cert.Daemon).ClientConfig("127.0.0.1") }},
		{"no certificate", "handshake", func() *tls.Config {
			c := good.ClientConfig("127.0.0.1")
			c.Certificates = nil
			return c
		}},
		{"expired", "expired", func() *tls.Config {
			c := good.ClientConfig("127.0.0.1")
			c.Certificates = []tls.Certificate{expired}
			return c
		}},
		{"TLS 1.2", "handshake", func() *tls.Config {
			c := good.ClientConfig("127.0.0.1")
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return c
		}},
	} {
		before := s.refusedConnections(tt.reason)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: tt.config()}}
		resp, err := client.Get("https://" + address + "/health")
		if err == nil {
			t.Errorf("%s: HTTP %d, want no answer", tt.name, resp.StatusCode)
			resp.Body.Close()
		}
		patience.Until(t, tt.name+" is counted as "+tt.reason, func() (bool, string) {
			return s.refusedConnections(tt.reason) > before, s.log.String()
		})
	}
	if !strings.Contains(s.log.String(), `"message":"connection refused"`) {
		t.Errorf("the log has no refusal:\n%s", s.log)
	}
}

// refusedConnections reads a counter.
func (s *served) refusedConnections(reason string) float64 {
	families, err := s.metrics.registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "ccee_daemon_connections_refused_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// TestRemotePlainHTTP: a request without TLS gets no byte of HTTP.
func TestRemotePlainHTTP(t *testing.T) {
	s := serveRemote(t, newMachines(t), prints)
	c, err := net.Dial("tcp", s.Server.remote.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST /v1/run HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}")
	b, _ := io.ReadAll(c)
	if strings.Contains(string(b), "HTTP") {
		t.Errorf("it answers %q", b)
	}
	patience.Until(t, "it is counted", func() (bool, string) { return s.refusedConnections("no_tls") == 1, s.log.String() })
}

// TestRemoteCrowded: connections that never shake hands keep nobody out, however many they are; and each ends.
func TestRemoteCrowded(t *testing.T) {
	s := serveRemote(t, newMachines(t), prints)
	var silent []net.Conn
	for range maxHandshakes + 20 {
		c, err := net.Dial("tcp", s.Server.remote.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	if resp, body := s.ask(t, "GET", "/health", "", ""); resp.StatusCode != 200 {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
	// Where 5 s are over before all have connected, some of them end for that.
	patience.Until(t, "20 connections are ended", func() (bool, string) {
		return s.refusedConnections("crowded")+s.refusedConnections("slow") >= 20, s.log.String()
	})
	for _, c := range silent {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("a silent connection got a byte")
		}
	}
	patience.Until(t, "the slow ones are counted", func() (bool, string) { return s.refusedConnections("slow") > 0, s.log.String() })
	if n := strings.Count(s.log.String(), "connection refused"); n > refusalLines {
		t.Errorf("%d lines about refused connections, want %d at most", n, refusalLines)
	}
}

// TestRemoteVanishes: a job is killed when the connection of its caller ends, as on the socket.
func TestRemoteVanishes(t *testing.T) {
	begun, ended := make(chan string, 1), make(chan struct{})
	s := serveRemote(t, newMachines(t), func(ctx context.Context, spec job.Spec, _ func(job.Event) error) (job.Result, error) {
		begun <- spec.ID
		<-ctx.Done()
		close(ended)
		return job.Result{}, job.Errorf(job.ECancelled, "cancelled")
	})
	ctx, cancel := context.WithCancel(patience.Context(t))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", s.base+"/v1/run", strings.NewReader(specBody))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.http.Do(req)
		done <- err
	}()
	patience.Receive(t, begun, "the job begins")
	cancel()
	patience.Receive(t, ended, "the job ends when its caller's connection does")
	patience.Receive(t, done, "the caller returns")
	patience.Until(t, "the connection is forgotten", func() (bool, string) { return s.Server.remote.connections() == 0, "" })
}

// TestRemoteReload: new files are used by new connections; the old certificate stays where the new file is broken.
func TestRemoteReload(t *testing.T) {
	m := newMachines(t)
	s := serveRemote(t, m, prints)
	serial := func() string {
		t.Helper()
		s.http.CloseIdleConnections()
		resp, _ := s.ask(t, "GET", "/health", "", "")
		return resp.TLS.PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	files := m.issue(t, "daemon", cert.Daemon, time.Hour)
	second := serial()
	if first == second {
		t.Error("a new certificate is not used")
	}
	m2 := newMachines(t)
	other := m2.issue(t, "daemon", cert.Daemon, time.Hour)
	if err := os.Rename(other.Key, files.Key); err != nil { // whose certificate is still the old one
		t.Fatal(err)
	}
	if got := serial(); got != second {
		t.Error("with a key that is not the certificate's, the certificate of before is not used")
	}
	if _, body := s.ask(t, "GET", "/metrics", "", ""); !strings.Contains(body, "ccee_daemon_certificate_failures_total 1\n") {
		t.Error("the failure is not counted")
	}
}

// TestRemoteExpires: /ready warns before a certificate ends.
func TestRemoteExpires(t *testing.T) {
	m := newMachines(t)
	m.now = time.Now().Add(-50 * time.Minute) // of the hour
	r := m.remote(t)
	s := serveWith(t, Options{Remote: r}, prints)
	if _, body := s.ask(t, "GET", "/ready", "", ""); !strings.Contains(body, "daemon.crt expires at") {
		t.Errorf("ready: %s, want a warning", body)
	}
}

// TestRemoteNeeds: a listener that would not verify its callers can't be configured.
func TestRemoteNeeds(t *testing.T) {
	m := newMachines(t)
	good, worker := m.remote(t), m.open(t, "worker", cert.Worker)
	for _, tt := range []struct {
		name   string
		remote Remote
		want   string
	}{
		{"no certificates", Remote{Address: "127.0.0.1:0", Allow: good.Allow}, "needs a certificate"},
		{"nobody allowed", Remote{Address: "127.0.0.1:0", Certificates: good.Certificates}, "no name is allowed"},
		{"a worker's certificates", Remote{"127.0.0.1:0", worker, good.Allow}, "can't be those of a server"},
		{"no such address", Remote{"127.0.0.1:99999", good.Certificates, good.Allow}, "listen for other machines"},
	} {
		if r, err := newRemote(tt.remote, nil, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want an error with %q", tt.name, r, err, tt.want)
		}
	}
}

// TestRemoteExpiredConnection: a connection does not outlive the certificate that it began with.
func TestRemoteExpiredConnection(t *testing.T) {
	m := newMachines(t)
	s := serveRemote(t, m, prints)
	short, err := cert.Open(m.issue(t, "worker", cert.Worker, 2*time.Second), cert.Worker, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", s.Server.remote.Addr().String(), short.ClientConfig("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func() string {
		io.WriteString(c, "GET /health HTTP/1.1\r\nHost: d\r\n\r\n")
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		return string(b[:n])
	}
	if got := ask(); !strings.Contains(got, "Connection: close") {
		t.Errorf("shortly before the end: %q, want the connection to be closed", got)
	}
}

// TestRemoteGuard: the handlers behind the listener look at the certificate again, whatever the handshake let through.
func TestRemoteGuard(t *testing.T) {
	m := newMachines(t)
	s := serveRemote(t, m, prints)
	chain := func(name string, valid time.Duration) *tls.ConnectionState {
		certs, err := cert.Read(m.issue(t, name, cert.Worker, valid).Cert)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.ConnectionState{PeerCertificates: certs, VerifiedChains: [][]*x509.Certificate{certs}}
	}
	unverified := chain("worker", time.Hour)
	unverified.VerifiedChains = nil
	for _, tt := range []struct {
		name  string
		state *tls.ConnectionState
		want  int
	}{
		{"the worker", chain("worker", time.Hour), 200},
		{"no TLS", nil, 403},
		{"not verified", unverified, 403},
		{"another", chain("other", time.Hour), 403},
		{"expired meanwhile", chain("worker", time.Nanosecond), 503},
	} {
		w := &recorder{header: http.Header{}}
		req, err := http.NewRequestWithContext(t.Context(), "GET", "/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.TLS = tt.state
		s.ends()[1].http.Handler.ServeHTTP(w, req)
		if w.status != tt.want || tt.want == 503 && w.header.Get("Connection") != "close" {
			t.Errorf("%s: HTTP %d %v, want %d", tt.name, w.status, w.header, tt.want)
		}
	}
}
