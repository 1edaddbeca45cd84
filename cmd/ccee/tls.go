// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/daemon/client"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// tlsFlags are the files of one end of a connection between machines.
func tlsFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("tls-cert", "CCEE_TLS_CERT", "", "PEM `FILE` with the own certificate, read again when it changes"),
		stringFlag("tls-key", "CCEE_TLS_KEY", "", "PEM `FILE` with its key"),
		stringFlag("tls-ca", "CCEE_TLS_CA", "", "PEM `FILE` with the authorities that the other end's certificate must come from"),
	}
}

func tlsNameFlag() cli.Flag {
	return stringFlag("tls-name", "CCEE_TLS_NAME", "",
		"`HOST` that the daemon's certificate must be for (default: the host of its address)")
}

// openCertificates reads the files that the flags name.
func openCertificates(cmd *cli.Command, role cert.Role, failed func(error)) (*cert.Store, error) {
	for _, name := range []string{"tls-cert", "tls-key", "tls-ca"} {
		if cmd.String(name) == "" {
			return nil, usageError{fmt.Errorf("--%s is missing: a connection between machines needs --tls-cert, --tls-key and --tls-ca, "+
				"which ccee cert makes", name)}
		}
	}
	return cert.Open(cert.Files{Cert: cmd.String("tls-cert"), Key: cmd.String("tls-key"), CA: cmd.String("tls-ca")}, role, failed)
}

// networkListenFlags are those of a daemon's listener for other machines.
func networkListenFlags() []cli.Flag {
	return append([]cli.Flag{
		stringFlag("listen", "CCEE_DAEMON_LISTEN", "",
			"`HOST:PORT` for callers on other machines, by mutual TLS: needs --tls-cert, --tls-key, --tls-ca, --allow (default: none)"),
		stringFlag("allow", "CCEE_ALLOW", "", "callers on other machines: `NAME,...` in their certificates, such as dns:worker.internal"),
	}, tlsFlags()...)
}

// remoteListener returns the listener that the flags ask for, and refuses one that would not know its callers.
func remoteListener(cmd *cli.Command, log zerolog.Logger) (daemon.Remote, error) {
	address := cmd.String("listen")
	if address == "" {
		return daemon.Remote{}, nil
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return daemon.Remote{}, usageError{fmt.Errorf("--listen %q: must be HOST:PORT, such as 10.0.0.7:8443", address)}
	}
	allow, err := cert.ParseNames(splitList(cmd.String("allow")))
	if err != nil {
		return daemon.Remote{}, usageError{fmt.Errorf("--allow: %w", err)}
	}
	if len(allow) == 0 {
		return daemon.Remote{}, usageError{
			fmt.Errorf("--listen %s needs --allow: the names in the certificates of its callers; nobody else may use it", address)}
	}
	certificates, err := openCertificates(cmd, cert.Daemon, func(err error) {
		log.Error().Err(err).Msg("the certificate's files have changed and can't be used")
	})
	return daemon.Remote{Address: address, Certificates: certificates, Allow: allow}, err
}

// daemonFlags name the daemon that a command uses.
func daemonFlags() []cli.Flag {
	return append([]cli.Flag{
		stringFlag("socket", "CCEE_SOCKET", defaultSocket,
			"`PATH` of the daemon's unix socket, or https://HOST:PORT of one on another machine (with --tls-cert, --tls-key, --tls-ca)"),
		tlsNameFlag(),
	}, tlsFlags()...)
}

// openDaemon returns a client of the daemon that the flags name.
func openDaemon(cmd *cli.Command) (*client.Client, error) {
	socket := cmd.String("socket")
	if !strings.HasPrefix(socket, "https:") {
		return client.New(socket), nil
	}
	u, err := url.Parse(socket)
	if err != nil || u.Port() == "" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return nil, usageError{fmt.Errorf("--socket %q: must be a path, or https://HOST:PORT", socket)}
	}
	certificates, err := openCertificates(cmd, cert.Worker, func(err error) {
		fmt.Fprintf(cmd.Root().ErrWriter, "ccee: warning: %v\n", err)
	})
	if err != nil {
		return nil, err
	}
	server := cmd.String("tls-name")
	if server == "" {
		server = u.Hostname()
	}
	return client.NewTLS(u.Host, func() *tls.Config { return certificates.ClientConfig(server) }), nil
}
