// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/worker"

	"github.com/urfave/cli/v3"
)

func benchSimulateCommand() *cli.Command {
	return &cli.Command{
		Name:  "simulate",
		Usage: "predict how many hosts a load needs, how long its jobs wait and what it costs",
		Description: `Simulates a fleet, event by event, of hosts like the one that ccee bench profile measured. Without --hosts it finds the fewest with which
99 % of the jobs wait no longer than --wait-ms. The default prices are AWS Fargate's in us-east-1, Linux on x86: set those of your hosts.

   ccee bench profile > host.json
   ccee bench simulate --profile host.json --rate 500 --mix python=8,java=1
   ccee bench simulate --profile host.json --trace yesterday.csv --hosts 4
   ccee bench simulate --profile host.json --rate 2000 --json | jq .hosts`,
		Flags: append(loadFlags(time.Minute),
			&cli.StringFlag{Name: "profile", Usage: "`FILE` with the output of ccee bench profile", Required: true},
			intFlag("hosts", "", 0, 0, 1_000_000, "`N` hosts; 0: as few as suffice"),
			&cli.FloatFlag{Name: "wait-ms", Value: 50, Usage: "`MS` that 99 % of the jobs may wait for a host with room"},
			&cli.FloatFlag{Name: "time-ms", Usage: "`MS` that 99 % of the jobs may take in all (default: any)"},
			intFlag("slots", "", 16, 1, 1024, "jobs at once on a host: WORKER_CONCURRENCY"),
			intFlag("ready", "", 8, 0, 1024, "prewarmed sandboxes on a host: CCEE_READY"),
			&cli.FloatFlag{Name: "gib", Usage: "`GIB` of memory of a host (default: 2 for each core)"},
			&cli.FloatFlag{Name: "usd-vcpu", Value: worker.USDPerVCPUHour, Usage: "`USD` for a core and hour"},
			&cli.FloatFlag{Name: "usd-gib", Value: worker.USDPerGBHour, Usage: "`USD` for a GiB and hour"},
		),
		Action: noArgs(benchSimulate),
	}
}

// maxSimulated is about how many jobs are simulated. Of a larger load only a fraction is, on that fraction of the hosts, which share
// nothing but the queue: simulating all of it for a shorter time would end before the queue has grown.
const maxSimulated = 200_000

// simulated is the result in JSON.
type simulated struct {
	capacity.Result
	Parts         int     `json:"parts"`         // into which the load was divided; one was simulated
	Ready         int     `json:"ready"`         // prewarmed sandboxes a host beyond which more of them serve no more jobs
	USDPerHour    float64 `json:"usdPerHour"`    // of the hosts
	USDPerMillion float64 `json:"usdPerMillion"` // jobs, at that rate
}

func benchSimulate(ctx context.Context, cmd *cli.Command) error {
	p, err := readProfile(cmd.String("profile"))
	if err != nil {
		return usageError{err}
	}
	p.Slots, p.Ready = int(cmd.Int64("slots")), int(cmd.Int64("ready"))
	if !(cmd.Float("wait-ms") > 0) || cmd.Float("time-ms") < 0 {
		return usageError{errors.New("--wait-ms must be above 0, and --time-ms must not be negative")}
	}
	parts := 1
	if cmd.String("trace") == "" {
		parts = max(1, int(math.Ceil(cmd.Float("rate")*cmd.Duration("for").Seconds()/maxSimulated)))
	}
	all, err := arrivals(cmd, parts)
	if err != nil {
		return err
	}
	var r capacity.Result
	if hosts := int(cmd.Int64("hosts")); hosts > 0 {
		r, err = capacity.Simulate(p, max(1, hosts/parts), all)
	} else {
		r, err = capacity.Size(p, all, cmd.Float("wait-ms"), cmd.Float("time-ms"))
	}
	if err != nil {
		return exit{1, err}
	}
	s := simulated{Parts: parts}
	if s.Ready, err = capacity.EnoughReady(p, r.Hosts, all); err != nil {
		return exit{1, err}
	}
	r.Hosts *= parts
	s.Result = r
	price := capacity.Price{VCPUHour: cmd.Float("usd-vcpu"), GiBHour: cmd.Float("usd-gib"), GiB: cmd.Float("gib")}
	s.USDPerHour = price.PerHour(p, r.Hosts)
	rate := float64(parts*len(all)) / max(1e-3, all[len(all)-1].At)
	s.USDPerMillion = s.USDPerHour / (3600 * rate) * 1e6
	if err := printLoad(cmd, s, r); err != nil || cmd.Bool("json") {
		return err
	}
	return s.print(cmd.Root().Writer, p, rate)
}

// print writes what printLoad does not: hosts, waiting, cost.
func (s *simulated) print(w io.Writer, p capacity.Profile, rate float64) error {
	if s.Parts > 1 {
		fmt.Fprintf(w, "simulated: one part in %d of the load\n", s.Parts)
	}
	_, err := fmt.Fprintf(w, `
rate   %.1f jobs a second
hosts  %d, of %d cores and %d slots; jobs take %.0f %% of the CPU time, prewarming sandboxes %.0f %%
wait   p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, until a host had room
ready  %.0f %% of the jobs found a prewarmed sandbox; %d a host are enough
cost   $%.2f an hour, $%.3f a million jobs
`, rate, s.Hosts, p.Cores, p.Slots, 100*s.Utilisation, 100*s.Ahead, s.Wait.P50, s.Wait.P99, s.Wait.P999, 100*s.Warm, s.Ready, s.USDPerHour, s.USDPerMillion)
	return err
}

func readProfile(file string) (capacity.Profile, error) {
	var p capacity.Profile
	b, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("%s is not the output of ccee bench profile: %w", file, err)
	}
	return p, nil
}
