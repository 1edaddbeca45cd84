// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// mostDaemons bounds a pool: each of its daemons is checked every two seconds.
const mostDaemons = 256

// Finder finds the daemons of a pool.
type Finder interface {
	// Find lists their addresses, each HOST:PORT. It is called every ten seconds.
	Find(ctx context.Context) ([]string, error)
}

// Static is a Finder of daemons that are always the same.
type Static []string

// Find returns the list.
func (s Static) Find(context.Context) ([]string, error) { return s, nil }

// ParseStatic reads a list of addresses.
func ParseStatic(list []string) (Static, error) {
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		n, perr := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" || perr != nil || n == 0 {
			return nil, fmt.Errorf("%q is no address of a daemon: it must be HOST:PORT", a)
		}
	}
	if len(list) == 0 || len(list) > mostDaemons {
		return nil, fmt.Errorf("a pool needs 1 to %d daemons, there are %d", mostDaemons, len(list))
	}
	return Static(list), nil
}

// SRV is a Finder that asks DNS for the SRV records of a name (RFC 2782), as AWS Cloud Map and Kubernetes have them. Priorities and weights
// are ignored: daemons are chosen by what they have room for.
type SRV struct {
	Name     string // such as _ccee._tcp.daemons.internal
	Resolver *net.Resolver
}

// Find asks DNS.
func (s SRV) Find(ctx context.Context) ([]string, error) {
	_, records, err := s.Resolver.LookupSRV(ctx, "", "", s.Name)
	if err != nil {
		return nil, err
	}
	all := make([]string, 0, len(records))
	for _, r := range records {
		all = append(all, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	return all, nil
}

// tidy sorts addresses, each once, and leaves out those beyond the bound.
func tidy(addresses []string) []string {
	sorted := slices.Sorted(slices.Values(addresses))
	sorted = slices.Compact(sorted)
	return sorted[:min(len(sorted), mostDaemons)]
}
