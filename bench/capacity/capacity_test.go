// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// plain is a host whose jobs take 10 ms of one core, whatever the others do, and all the same.
func plain(cores, slots int) Profile {
	return Profile{Cores: cores, Slots: slots, Languages: []Language{{Name: "a", WarmMs: 10, WarmP99Ms: 10, WarmCPUMs: 10, ColdMs: 10, ColdCPUMs: 10}}}
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within*math.Abs(want)+1e-9 {
		t.Errorf("%s is %v, want %v within %v %%", what, got, want, 100*within)
	}
}

// TestKnownQueues: where queueing theory has a formula, the simulation agrees with it.
func TestKnownQueues(t *testing.T) {
	mix := []Share{{"a", 1}}
	t.Run("M/D/1", func(t *testing.T) { // one core, one job at a time: the mean wait is rho/(2(1-rho)) services
		for _, rho := range []float64{0.3, 0.8} {
			all := Poisson(100*rho, 2000, mix, 7)
			s := waits(t, plain(1, 1), 1, all)
			near(t, "mean wait in ms", mean(s), 10*rho/(2*(1-rho)), 0.08)
		}
	})
	t.Run("M/G/1 shared", func(t *testing.T) { // one core shared by all jobs: the mean time is 1/(1-rho) services, whatever their sizes
		for _, p99 := range []float64{10, 40} {
			p := plain(1, 10_000)
			p.Languages[0].WarmP99Ms = p99
			all := Poisson(50, 4000, mix, 7)
			sim := simulated(t, p, 1, all)
			near(t, "mean time in ms", mean(times(sim)), 20, 0.1)
		}
	})
	t.Run("M/D/c", func(t *testing.T) { // many cores: nobody waits at half of what they can do
		r := must(t, plain(64, 64), 1, Poisson(3200, 20, mix, 7))
		near(t, "p99", r.Time.P99, 10, 0.01)
		near(t, "utilisation", r.Utilisation, 0.5, 0.05)
		near(t, "p99 wait", r.Wait.P99, 0, 0)
	})
	t.Run("hosts", func(t *testing.T) { // twice the hosts bear twice the load in the same way
		one := must(t, plain(2, 16), 1, Poisson(150, 200, mix, 7))
		ten := must(t, plain(2, 16), 10, Poisson(1500, 200, mix, 7))
		if ten.Time.P99 > one.Time.P99 || math.Abs(ten.Utilisation-one.Utilisation) > 0.03 {
			t.Errorf("ten hosts %+v, one %+v", ten, one)
		}
	})
}

// TestReady: jobs that arrive one by one find prewarmed sandboxes, those that arrive at once find as many as there are.
func TestReady(t *testing.T) {
	p := Profile{Cores: 2, Slots: 64, Ready: 4, Languages: []Language{{Name: "a", WarmMs: 2, WarmP99Ms: 2, WarmCPUMs: 12, ColdMs: 10, ColdCPUMs: 10}}}
	var slow, burst []Arrival
	for i := range 100 {
		slow = append(slow, Arrival{float64(i), "a"})
		burst = append(burst, Arrival{float64(i / 10), "a"})
	}
	one := must(t, p, 1, slow)
	near(t, "warm of those that arrive one by one", one.Warm, 1, 0)
	for name, ms := range map[string]float64{"p50": one.Time.P50, "p99": one.Time.P99, "p99.9": one.Time.P999} {
		near(t, "the "+name+" of the time of warm jobs", ms, 2, 0.001)
	}
	// One takes 10 ms: 99 that jobs found, 3 that are left of 4 that had jobs in a minute, and a fifth of the next until the last job ends.
	near(t, "the cores' time for prewarming", one.Ahead, 102.2*0.010/(2*99.002), 0.001)
	near(t, "warm of ten at once", must(t, p, 1, burst).Warm, 0.4, 0.05)
	p.Ready = 0
	r := must(t, p, 1, slow)
	near(t, "warm without any", r.Warm, 0, 0)
	near(t, "time without any", r.Time.P50, 10, 0.001)
}

// TestBusyCores: while jobs take all cores no sandbox is prewarmed, and each job waits for its own.
func TestBusyCores(t *testing.T) {
	p := Profile{Cores: 2, Slots: 64, Ready: 8, Languages: []Language{{Name: "a", WarmMs: 2, WarmP99Ms: 2, WarmCPUMs: 12, ColdMs: 10, ColdCPUMs: 10}}}
	all := []Arrival{{0, "a"}, {0, "a"}}
	for i := range 400 {
		all = append(all, Arrival{0.0049 * float64(i+1), "a"}) // 10 ms of CPU time every 4.9 ms: more than two cores have
	}
	r := must(t, p, 1, all)
	near(t, "warm", r.Warm, 0, 0)
	near(t, "the cores' time for jobs", r.Utilisation, 1, 0.001)
	if r.Ahead > 0.0005 { // the cores are free for the last milliseconds
		t.Errorf("%v of the cores' time is for prewarming", r.Ahead)
	}
}

// TestRecentJobs: as many sandboxes are prewarmed as there were jobs in the last minute, no more and no fewer.
func TestRecentJobs(t *testing.T) {
	p := Profile{Cores: 2, Slots: 64, Ready: 4, Languages: []Language{{Name: "a", WarmMs: 2, WarmP99Ms: 2, WarmCPUMs: 12, ColdMs: 10, ColdCPUMs: 10}}}
	for later, want := range map[float64]float64{30: 1 + 4, 100: 1 + 3} { // after a minute one of the four that were taken is not replaced
		all := []Arrival{{0, "a"}, {0, "a"}, {0, "a"}, {0, "a"}, {later, "a"}}
		for range 4 {
			all = append(all, Arrival{later + 0.5, "a"})
		}
		near(t, fmt.Sprintf("warm jobs after %v s", later), 9*must(t, p, 1, all).Warm, want, 0.001)
	}
}

// TestColdDelay: a cold job takes longer than its CPU time, by what it waits for the kernel.
func TestColdDelay(t *testing.T) {
	p := Profile{Cores: 2, Slots: 64, Languages: []Language{{Name: "a", WarmMs: 2, WarmP99Ms: 2, WarmCPUMs: 12, ColdMs: 30, ColdCPUMs: 10}}}
	r := must(t, p, 1, []Arrival{{0, "a"}, {1, "a"}, {2, "a"}})
	near(t, "the time of a cold job", r.Time.P50, 30, 0.001)
	near(t, "the cores' time for jobs", r.Utilisation, 3*0.010/(2*2.010), 0.01)
}

// TestKinds: languages share the sandboxes evenly, also where one has more jobs.
func TestKinds(t *testing.T) {
	l := Language{WarmMs: 2, WarmP99Ms: 2, WarmCPUMs: 12, ColdMs: 10, ColdCPUMs: 10}
	p := Profile{Cores: 2, Slots: 64, Ready: 4}
	for _, name := range []string{"a", "b"} {
		l.Name = name
		p.Languages = append(p.Languages, l)
	}
	var all []Arrival
	for i := range 20 {
		for range 4 {
			all = append(all, Arrival{float64(10 * i), "a"}, Arrival{float64(10 * i), "b"})
		}
	}
	near(t, "warm of four at once of each of two languages, which have two sandboxes each", must(t, p, 1, all).Warm, 0.5, 0.01)
	uneven := []Arrival{{0, "a"}, {0, "a"}, {0, "a"}, {0, "a"}, {0, "b"}, {1, "a"}, {1, "a"}, {1, "a"}, {1, "a"}}
	near(t, "warm jobs of the four in the second second", 9*must(t, p, 1, uneven).Warm, 2, 0.001)
}

func TestNewTimes(t *testing.T) {
	var seconds []float64
	for i := range 10_000 {
		seconds = append(seconds, float64(10_000-i)/1000) // the order does not matter
	}
	if got, want := NewTimes(seconds), (Times{P50: 5001, P99: 9901, P999: 9991}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := NewTimes([]float64{0.5}); got != (Times{500, 500, 500}) {
		t.Errorf("of one: %+v", got)
	}
	if got := NewTimes(nil); got != (Times{}) {
		t.Errorf("of none: %+v", got)
	}
}

// TestEnoughReady: as many sandboxes as jobs arrive at once; none where none is ever found.
func TestEnoughReady(t *testing.T) {
	p := Profile{Cores: 8, Slots: 64, Languages: []Language{{Name: "a", WarmMs: 2, WarmP99Ms: 2, WarmCPUMs: 12, ColdMs: 10, ColdCPUMs: 10}}}
	for _, tt := range []struct{ together, want int }{{1, 1}, {4, 4}, {5, 8}} {
		var all []Arrival
		for i := range 200 {
			all = append(all, Arrival{float64(i / tt.together), "a"})
		}
		if n, err := EnoughReady(p, 1, all); err != nil || n != tt.want {
			t.Errorf("%d at once: %d, %v, want %d", tt.together, n, err, tt.want)
		}
	}
	p.Languages[0].WarmCPUMs = 1 // less than the job itself: nothing is to be prewarmed
	if n, err := EnoughReady(p, 1, []Arrival{{0, "a"}, {1, "a"}}); err != nil || n != 0 {
		t.Errorf("nothing to prewarm: %d, %v", n, err)
	}
}

func TestPrice(t *testing.T) {
	p := Profile{Cores: 4}
	near(t, "three hosts of 4 cores and 8 GiB", Price{VCPUHour: 1, GiBHour: 0.5}.PerHour(p, 3), 24, 0)
	near(t, "three hosts of 4 cores and 2 GiB", Price{VCPUHour: 1, GiBHour: 0.5, GiB: 2}.PerHour(p, 3), 15, 0)
}

// TestSize: the fewest hosts that do, and no answer where none do.
func TestSize(t *testing.T) {
	all := Poisson(1000, 60, []Share{{"a", 1}}, 7)
	r, err := Size(plain(2, 16), all, 5, 50)
	if err != nil || r.Hosts < 5 || r.Hosts > 9 { // five are busy all the time
		t.Fatalf("%+v, %v", r, err)
	}
	if fewer := must(t, plain(2, 16), r.Hosts-1, all); fewer.Time.P99 <= 50 && fewer.Wait.P99 <= 5 {
		t.Errorf("%d hosts are enough: %+v", r.Hosts-1, fewer)
	}
	if r, err := Size(plain(2, 16), all[:1000], 5, 9); err == nil {
		t.Errorf("%+v, although a job takes 10 ms", r)
	}
}

func TestBadInput(t *testing.T) {
	good := Poisson(10, 1, []Share{{"a", 1}}, 1)
	for name, try := range map[string]func() error{
		"no hosts":     func() error { _, err := Simulate(plain(1, 1), 0, good); return err },
		"no arrivals":  func() error { _, err := Simulate(plain(1, 1), 1, nil); return err },
		"no cores":     func() error { _, err := Simulate(plain(0, 1), 1, good); return err },
		"no language":  func() error { _, err := Simulate(plain(1, 1), 1, []Arrival{{0, "b"}}); return err },
		"no time":      func() error { p := plain(1, 1); p.Languages[0].ColdMs = math.NaN(); return p.Check() },
		"a mix":        func() error { _, err := ParseMix("python=x"); return err },
		"a mix twice":  func() error { _, err := ParseMix("a,a"); return err },
		"an empty mix": func() error { _, err := ParseMix(""); return err },
		"a trace":      func() error { _, err := ReadTrace(strings.NewReader("1;python")); return err },
		"no trace":     func() error { _, err := ReadTrace(strings.NewReader("# nothing\n")); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestOddProfiles: no numbers keep the simulation from its end.
func TestOddProfiles(t *testing.T) {
	for _, odd := range []Language{
		{WarmMs: 1e6, WarmP99Ms: 1e-9, WarmCPUMs: 1e6, ColdMs: 1, ColdCPUMs: 3e6},
		{WarmMs: 1e-6, WarmP99Ms: 3e6, WarmCPUMs: 1, ColdMs: 1e-6, ColdCPUMs: 3e6},
		{WarmMs: 1e-300, WarmP99Ms: 1e-300, WarmCPUMs: 1e-300, ColdMs: 1e-300, ColdCPUMs: 1e-300},
	} {
		odd.Name = "a"
		p := Profile{Cores: 4096, Slots: 3, Ready: 2, Languages: []Language{odd}}
		if r := must(t, p, 3, append(Poisson(1, 60, []Share{{"a", 1}}, 1), Arrival{9e9, "a"})); r.Jobs < 30 {
			t.Errorf("%+v", r)
		}
	}
}

func TestReadTrace(t *testing.T) {
	got, err := ReadTrace(strings.NewReader("# time,language\n12.5,java\n\n 10 , python\n"))
	if want := []Arrival{{0, "python"}, {2.5, "java"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add("0,python\n1e3,java")
	f.Add("nan,a")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ReadTrace(strings.NewReader(text))
		for i, a := range all {
			if err != nil || i > 0 && a.At < all[i-1].At || !(a.At >= 0) || a.Language == "" {
				t.Errorf("%v, %v", a, err)
			}
		}
	})
}

func FuzzParseMix(f *testing.F) {
	f.Add("python=8,java")
	f.Fuzz(func(t *testing.T, text string) {
		mix, err := ParseMix(text)
		for _, s := range mix {
			if err != nil || !(s.Weight > 0) || s.Language == "" {
				t.Errorf("%v, %v", s, err)
			}
		}
	})
}

func must(t *testing.T, p Profile, hosts int, all []Arrival) Result {
	t.Helper()
	r, err := Simulate(p, hosts, all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func simulated(t *testing.T, p Profile, hosts int, all []Arrival) *simulation {
	t.Helper()
	s, err := newSimulation(&p, hosts, all)
	if err != nil {
		t.Fatal(err)
	}
	s.run()
	return s
}

func waits(t *testing.T, p Profile, hosts int, all []Arrival) (ms []float64) {
	s := simulated(t, p, hosts, all)
	for i, a := range all {
		ms = append(ms, 1000*(s.began[i]-a.At))
	}
	return ms
}

func times(s *simulation) (ms []float64) {
	for i, a := range s.arrivals {
		ms = append(ms, 1000*(s.ended[i]-a.At))
	}
	return ms
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
