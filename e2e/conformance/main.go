// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// options are what the suites are made from.
type options struct {
	binary   string // bin/ccee
	images   string // the store with the images that tenants get
	selftest string // the store with those that carry tests
	cache    string // what was downloaded
	expected string // the lists of expected differences
	seed     int64  // of generated programs
	only     *regexp.Regexp
	share    int // of the suites that have thousands of small tests each share-th is run
	workers  int
	log      io.Writer
}

func main() {
	if os.Args[0] == outsideName {
		os.Exit(outsideMain())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := options{log: os.Stdout}
	flag.StringVar(&o.binary, "ccee", "bin/ccee", "the binary whose daemon is asked")
	flag.StringVar(&o.images, "images", "/var/lib/ccee/images", "store with the images that tenants get")
	flag.StringVar(&o.selftest, "selftest-images", "/var/lib/ccee/selftest", "store with the images that carry tests")
	flag.StringVar(&o.cache, "cache", ".cache/conformance", "directory for what is downloaded")
	flag.StringVar(&o.expected, "expected", "e2e/conformance/expected", "directory with the lists of expected differences")
	flag.Int64Var(&o.seed, "seed", time.Now().UnixNano(), "of the generated programs")
	flag.IntVar(&o.workers, "workers", 2, "programs at once")
	suites := flag.String("suites", ".", "run the suites whose names match")
	flag.IntVar(&o.share, "share", 1, "of suites of thousands of small tests run each `N`th")
	only := flag.String("run", "", "run the units whose names match; the default is all")
	out := flag.String("out", ".cache/conformance/results", "directory for the lists of what was run and how it ended")
	table := flag.String("table", "", "rewrite the table in this file, of a whole run")
	flag.Parse()
	which, err := regexp.Compile(*suites)
	if err == nil && *only != "" {
		o.only, err = regexp.Compile(*only)
	}
	if err != nil {
		return err
	}
	var rows []row
	var faults []error
	for _, make := range allSuites {
		if !which.MatchString(make.name) {
			continue
		}
		r, err := o.runSuite(ctx, make, *out)
		faults = append(faults, err)
		rows = append(rows, r)
		if ctx.Err() != nil {
			break
		}
	}
	if err := errors.Join(faults...); err != nil || *table == "" || o.only != nil {
		return err
	}
	return writeTable(*table, rows)
}

// maker makes a suite: its daemon, its corpus, its units.
type maker struct {
	name string
	make func(ctx context.Context, o *options) (*suite, func(), error)
}

var allSuites = []maker{
	{"cpython", cpythonSuite},
	{"test262", test262Suite},
	{"generated", generatedSuite},
	{"answers", answersSuite},
}

// runSuite runs a suite and says what is wrong with it.
func (o *options) runSuite(ctx context.Context, make maker, out string) (row, error) {
	start := time.Now()
	s, stop, err := make.make(ctx, o)
	if errors.Is(err, errSkipped) {
		fmt.Fprintf(o.log, "SKIPPED %s: %v\n", make.name, err)
		return row{name: make.name, skipped: err.Error()}, nil
	}
	if err != nil {
		return row{}, fmt.Errorf("%s: %w", make.name, err)
	}
	defer stop()
	s.units = o.selected(s.units)
	if s.expected, err = readExpected(o.expected, s.name); err != nil {
		return row{}, err
	}
	c, err := s.compare(ctx, o.workers, o.log)
	if err := errors.Join(err, c.writeLists(out)); err != nil { // of what ran, when a run is broken off
		return row{}, err
	}
	wrong := c.judge(o.only == nil && o.share == 1)
	for _, w := range wrong {
		fmt.Fprintf(o.log, "%s: %s\n", s.name, w)
	}
	r := newRow(c, time.Since(start))
	fmt.Fprintln(o.log, r.summary())
	if len(wrong) > 0 {
		return r, fmt.Errorf("%s: %d differences or lines that should not be; see %s", s.name, len(wrong), filepath.Join(out, s.name+".differences"))
	}
	return r, nil
}

func (o *options) selected(units []unit) []unit {
	if o.only == nil {
		return units
	}
	var some []unit
	for _, u := range units {
		if o.only.MatchString(u.name) {
			some = append(some, u)
		}
	}
	return some
}
