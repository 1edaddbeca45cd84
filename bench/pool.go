// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/worker"
)

// How the pools are loaded: as many clients as slots, in turns, so that whatever disturbs the machine disturbs both.
const (
	poolSlots  = 8
	poolTurns  = 6
	poolDuring = 4 * time.Second
)

// fleet is a pool with the name that it has in the table.
type fleet struct {
	name  string
	pool  *worker.Pool
	rates []float64 // jobs a second, by turn
}

// pools compares a pool of one daemon with one of two that have the same slots together, over mutual TLS: hellos in Python, by as many
// clients as there are slots.
func pools(ctx context.Context, dir, binary, images string) error {
	certificates, env, err := poolCertificates(dir)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var fleets []*fleet
	port := 18440
	for _, size := range []int{1, 2} {
		var addresses worker.Static
		for range size {
			port++
			address := fmt.Sprint("127.0.0.1:", port)
			p, err := start(binary, filepath.Join(dir, fmt.Sprint("pool", port, ".log")), env, "daemon", "--images", images, "--listen", address,
				"--allow", "dns:worker", "--socket", filepath.Join(dir, fmt.Sprint(port)), "--cgroup", fmt.Sprint("ccee-bench-", port),
				"--slots", fmt.Sprint(poolSlots/size), "--tenant-share", "100", "--ready", fmt.Sprint(poolSlots/size))
			if err != nil {
				return err
			}
			defer p.stop()
			addresses = append(addresses, address)
		}
		pool, err := worker.NewPool(worker.PoolOptions{Find: addresses, Dial: func(address string) *client.Client {
			return client.NewTLS(address, func() *tls.Config { return certificates.ClientConfig("daemon") })
		}})
		if err != nil {
			return err
		}
		go pool.Watch(ctx)
		fleets = append(fleets, &fleet{name: fmt.Sprintf("%d x %d slots", size, poolSlots/size), pool: pool})
	}
	for _, f := range fleets {
		if err := until(ctx, func() error {
			r, err := f.pool.Ready(ctx)
			if err == nil && r.Slots != poolSlots {
				err = fmt.Errorf("it has %d slots", r.Slots)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return poolTable(ctx, fleets)
}

// poolTable loads the fleets in turns and prints the medians.
func poolTable(ctx context.Context, fleets []*fleet) error {
	for range poolTurns + 1 {
		for _, f := range fleets {
			times, took, err := drive(ctx, poolSlots, poolDuring, f.hello)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			f.rates = append(f.rates, float64(len(times))/took.Seconds())
		}
	}
	fmt.Printf("\nPools over mutual TLS, hello in Python, %d clients:\n", poolSlots)
	median := func(f *fleet) float64 { // without the first turn, which unpacks and warms
		s := slices.Sorted(slices.Values(f.rates[1:]))
		return s[len(s)/2]
	}
	for _, f := range fleets {
		fmt.Printf("  %-14s %7.1f jobs a second, %.2f of the first\n", f.name, median(f), median(f)/median(fleets[0]))
	}
	return nil
}

var poolJobs atomic.Int64

func (f *fleet) hello(ctx context.Context) error {
	spec := job.Spec{ID: fmt.Sprint("pool-", poolJobs.Add(1)), Language: "python", Source: "print(6*7)", Attempt: 1}
	res, err := f.pool.Run(ctx, spec, func(job.Event) {})
	if err == nil && res.Status != job.Succeeded && ctx.Err() == nil {
		err = fmt.Errorf("a hello ended with %s", res.Verdict)
	}
	return err
}

// poolCertificates makes those of the daemons, whose settings it returns, and of this process.
func poolCertificates(dir string) (*cert.Store, []string, error) {
	a, err := cert.NewAuthority("bench", time.Now(), 24*time.Hour)
	if err != nil {
		return nil, nil, err
	}
	if err := a.Pair().Write(dir, cert.AuthorityName, true); err != nil {
		return nil, nil, err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, role := range map[string]cert.Role{"daemon": cert.Daemon, "worker": cert.Worker} {
		p, err := a.Issue(cert.Request{Names: []cert.Name{cert.Name("dns:" + name)}, Role: role, Now: time.Now(), Valid: time.Hour})
		if err == nil {
			err = p.Write(dir, name, true)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	s, err := cert.Open(cert.Files{Cert: file("worker.crt"), Key: file("worker.key"), CA: file("ca.crt")}, cert.Worker, nil)
	return s, []string{"CCEE_TLS_CERT=" + file("daemon.crt"), "CCEE_TLS_KEY=" + file("daemon.key"), "CCEE_TLS_CA=" + file("ca.crt")}, err
}
