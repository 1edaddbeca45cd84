// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/urfave/cli/v3"
)

func devFlag() cli.Flag {
	return &cli.BoolFlag{Name: "dev", Usage: "without TENANT_API_KEYS_JSON, accept the key dev-local-key (tenant tenant-dev); loopback only"}
}

func listenFlag() cli.Flag {
	return stringFlag("listen", "CCEE_LISTEN", "", "`HOST:PORT` of the REST API (default: 127.0.0.1:API_PORT with --dev, else 0.0.0.0:API_PORT)")
}

func apiPortFlag() cli.Flag {
	return intFlag("port", "API_PORT", 8080, 1, 65_535, "port of the REST API without --listen")
}

// listenAddress returns the address of the REST API. With --dev it must be on the loopback: that key is public.
func listenAddress(cmd *cli.Command) (string, error) {
	addr, dev := cmd.String("listen"), cmd.Bool("dev")
	if addr == "" {
		host := "0.0.0.0"
		if dev {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, fmt.Sprint(cmd.Int64("port"))), nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usageError{fmt.Errorf("--listen %q: must be HOST:PORT, such as 127.0.0.1:8080", addr)}
	}
	if dev && !loopback(host) {
		return "", usageError{fmt.Errorf("--dev accepts a public key, so it listens on the loopback only, not on %q: "+
			"leave out --dev and set TENANT_API_KEYS_JSON", addr)}
	}
	return addr, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func apiListener(cmd *cli.Command) (net.Listener, error) {
	if fd := cmd.Int("listen-fd"); fd != 0 {
		f := os.NewFile(uintptr(fd), "listen-fd")
		defer f.Close() // FileListener works on a duplicate
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("--listen-fd %d: %w", fd, err)
		}
		return l, nil
	}
	addr, err := listenAddress(cmd)
	if err != nil {
		return nil, err
	}
	return listenTCP(addr)
}

func listenTCP(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address with --listen", err)
	}
	return l, nil
}

// splitList splits a list with commas; "" is an empty one.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
