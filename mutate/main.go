// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// options are the command line.
type options struct {
	sample int    // mutations of each package; 0: all
	seed   uint64 // of the sample
	list   bool
	with   string // packages whose tests run too, with blanks between
	flags  string // for go test, with blanks between
	dirs   []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.sample, "n", 0, "mutations of each package, drawn at random; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the draw")
	flag.BoolVar(&o.list, "list", false, "only list the mutations")
	flag.StringVar(&o.with, "with", "", "`PACKAGES` whose tests run too")
	flag.StringVar(&o.flags, "test", "", "`FLAGS` for go test, such as '-run Foo -tags x'")
	flag.Parse()
	o.dirs = flag.Args()
	if err := run(ctx, ".", o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run mutates the packages of the module in root and reports to w. Survivors are a result, no error.
func run(ctx context.Context, root string, o options, w io.Writer) error {
	if len(o.dirs) == 0 {
		return fmt.Errorf("name at least one package's directory, such as job")
	}
	work, err := os.MkdirTemp("", "mutate-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := copyTree(ctx, root, work); err != nil {
		return err
	}
	total := score{name: "all"}
	for _, dir := range o.dirs {
		s, err := mutatePackage(ctx, work, filepath.ToSlash(filepath.Clean(dir)), o, w)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		total.killed += s.killed
		total.survived += s.survived
		total.broken += s.broken
		fmt.Fprintln(w, s)
	}
	if len(o.dirs) > 1 {
		fmt.Fprintln(w, total)
	}
	return nil
}

// score counts what became of the mutations of a package.
type score struct {
	name                     string
	killed, survived, broken int
}

func (s score) String() string {
	percent := 0.0
	if n := s.killed + s.survived; n > 0 {
		percent = 100 * float64(s.killed) / float64(n)
	}
	return fmt.Sprintf("%-16s %4d killed, %3d survived, %3d did not compile: %3.0f %%", s.name, s.killed, s.survived, s.broken, percent)
}

func mutatePackage(ctx context.Context, work, dir string, o options, w io.Writer) (score, error) {
	s := score{name: dir}
	mutations, err := goMutations(work, dir)
	if err != nil {
		return s, err
	}
	rows, err := tableMutations(work, dir)
	if err != nil {
		return s, err
	}
	mutations = draw(append(mutations, rows...), o.sample, o.seed)
	if o.list {
		for _, m := range mutations {
			fmt.Fprintln(w, m)
		}
		return s, nil
	}
	t, err := newTester(ctx, work, dir, o)
	if err != nil {
		return s, err
	}
	for _, m := range mutations {
		end, err := t.try(ctx, m)
		if err != nil {
			return s, err
		}
		switch end {
		case killed:
			s.killed++
		case broken:
			s.broken++
		case survived, unreached:
			s.survived++
			fmt.Fprintf(w, "%-9s %s\n", end, m)
		}
	}
	return s, nil
}

// draw returns n of the mutations in their order, the same ones for the same seed; 0 is all.
func draw(all []mutation, n int, seed uint64) []mutation {
	if n == 0 || n >= len(all) {
		return all
	}
	places := rand.New(rand.NewPCG(seed, 0)).Perm(len(all))[:n]
	slices.Sort(places)
	drawn := make([]mutation, n)
	for i, at := range places {
		drawn[i] = all[at]
	}
	return drawn
}

// oneLine makes text fit into a line of the report.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 70 {
		s = s[:70] + "..."
	}
	return s
}
