package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		Usage: "say how many hosts a load needs, how long its jobs wait and what it costs",
		Description: `Simulates a fleet, event by event, with what ccee bench profile has measured of one host. Without --hosts it looks for the fewest with which
99 % of the jobs wait no longer than --wait-ms. Prices are AWS Fargate's in us-east-1, Linux on x86: give your own.

   ccee bench profile > host.json
   ccee bench simulate --profile host.json --rate 500 --mix python=8,java=1
   ccee bench simulate --profile host.json --trace yesterday.csv --hosts 4
   ccee bench simulate --profile host.json --rate 2000 --json | jq .hosts`,
		Flags: append(loadFlags(time.Minute),
			&cli.StringFlag{Name: "profile", Usage: "`FILE` that ccee bench profile has printed", Required: true},
			intFlag("hosts", "", 0, 0, 1_000_000, "`N` hosts; 0: as few as do"),
			&cli.FloatFlag{Name: "wait-ms", Value: 50, Usage: "`MS` that 99 % of the jobs may wait for a host with room"},
			&cli.FloatFlag{Name: "time-ms", Usage: "`MS` that 99 % of the jobs may take in all (default: any)"},
			intFlag("slots", "", 16, 1, 1024, "jobs at once on a host: WORKER_CONCURRENCY"),
			intFlag("ready", "", 8, 0, 1024, "sandboxes made ahead on a host: CCEE_READY"),
			&cli.FloatFlag{Name: "gib", Usage: "`GIB` of memory of a host (default: 2 for each core)"},
			&cli.FloatFlag{Name: "usd-vcpu", Value: worker.USDPerVCPUHour, Usage: "`USD` for a core and hour"},
			&cli.FloatFlag{Name: "usd-gib", Value: worker.USDPerGBHour, Usage: "`USD` for a GiB and hour"},
		),
		Action: noArgs(benchSimulate),
	}
}

// maxSimulated is how many jobs are simulated, about. Of a larger load a part is, on as small a part of the hosts, which share nothing but
// the queue: to simulate all of it for a shorter time would end before the queue has grown.
const maxSimulated = 200_000

// simulated is what the simulation says.
type simulated struct {
	capacity.Result
	Parts         int     `json:"parts"`         // of the load, one of which was simulated
	Ready         int     `json:"ready"`         // sandboxes made ahead on a host from which on more of them serve no more jobs
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
		return usageError{errors.New("--wait-ms must be above 0, and --time-ms not below")}
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
	if s.Ready, err = enoughReady(p, r.Hosts, all); err != nil {
		return exit{1, err}
	}
	r.Hosts *= parts
	s.Result = r
	gib := cmd.Float("gib")
	if gib <= 0 {
		gib = 2 * float64(p.Cores)
	}
	s.USDPerHour = float64(r.Hosts) * (float64(p.Cores)*cmd.Float("usd-vcpu") + gib*cmd.Float("usd-gib"))
	rate := float64(parts*len(all)) / max(1e-3, all[len(all)-1].At)
	s.USDPerMillion = s.USDPerHour / (3600 * rate) * 1e6
	if err := printLoad(cmd, s, r); err != nil || cmd.Bool("json") {
		return err
	}
	if parts > 1 {
		fmt.Fprintf(cmd.Root().Writer, "of one part in %d of the load\n", parts)
	}
	_, err = fmt.Fprintf(cmd.Root().Writer, `
rate   %.1f jobs a second
hosts  %d, of %d cores and %d slots; jobs take %.0f %% of the cores' time, making sandboxes ahead %.0f %%
wait   p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, until a host had room
ready  %.0f %% of the jobs found a sandbox made ahead; %d a host are enough
cost   $%.2f an hour, $%.3f a million jobs
`, rate, r.Hosts, p.Cores, p.Slots, 100*r.Utilisation, 100*r.Ahead, r.Wait.P50, r.Wait.P99, r.Wait.P999, 100*r.Warm, s.Ready, s.USDPerHour, s.USDPerMillion)
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
		return p, fmt.Errorf("%s is no profile as ccee bench profile prints it: %w", file, err)
	}
	return p, nil
}

// enoughReady is the smallest number of sandboxes made ahead that serves as many jobs as any larger one, to within a hundredth.
func enoughReady(p capacity.Profile, hosts int, all []capacity.Arrival) (int, error) {
	sizes := []int{0, 1, 2, 4, 8, 16, 32, 64}
	warm := make([]float64, len(sizes))
	most := 0.0
	for i, size := range sizes {
		p.Ready = size
		r, err := capacity.Simulate(p, hosts, all)
		if err != nil {
			return 0, err
		}
		warm[i], most = r.Warm, max(most, r.Warm)
	}
	for i, size := range sizes {
		if warm[i] >= most-0.01 {
			return size, nil
		}
	}
	return 0, nil
}
