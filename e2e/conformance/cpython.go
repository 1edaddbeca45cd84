// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

//go:embed programs/cpython.py
var cpythonRunner string

// splitDirs are directories of tests whose modules are run one by one; libregrtest has the same list.
var splitDirs = []string{"test_asyncio", "test_concurrent_futures", "test_doctests", "test_future_stmt", "test_gdb", "test_inspect", "test_pydoc",
	"test_multiprocessing_fork", "test_multiprocessing_forkserver", "test_multiprocessing_spawn"}

// cpythonModules lists the modules of the test suite in an image, as libregrtest does.
func cpythonModules(root string) ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(root, "usr/lib/python3.*/test"))
	if err != nil || len(dirs) != 1 {
		return nil, fmt.Errorf("the image has %d test suites, want one", len(dirs))
	}
	var modules []string
	add := func(dir, prefix string) error {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			name, isPy := strings.CutSuffix(e.Name(), ".py")
			if strings.HasPrefix(name, "test_") && (isPy || e.IsDir()) && !(prefix == "" && slices.Contains(splitDirs, name)) {
				modules = append(modules, prefix+name)
			}
		}
		return err
	}
	if err := add(dirs[0], ""); err != nil {
		return nil, err
	}
	for _, d := range splitDirs {
		if _, err := os.Stat(filepath.Join(dirs[0], d)); err == nil {
			if err := add(filepath.Join(dirs[0], d), "test."+d+"."); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(modules)
	return modules, nil
}

// cpythonUnit is one module of the suite.
func cpythonUnit(module string) unit {
	return unit{module, func(ctx context.Context, at place, only []string) (results, error) {
		return runCPython(ctx, at, module, only)
	}}
}

// runCPython runs a module, or some of its tests.
func runCPython(ctx context.Context, at place, module string, only []string) (results, error) {
	return untilDone(ctx, at, module, func(r results) (program, error) {
		plan, err := json.Marshal(map[string]any{"module": module, "skip": r.tests(), "only": append([]string{}, only...), "timeout": 600})
		return program{language: "python-selftest", source: cpythonRunner, args: []string{module}, report: "report",
			files: []job.File{{Name: "plan.json", Data: plan}}, limits: generous, wall: time.Minute}, err
	})
}

// pythonHidden is what we add to the interpreter. Outside a device is put over it, which is no module: Python finds none of that name.
const pythonHidden = "usr/lib/python3.13/sitecustomize.py"

// cpythonSuite is Debian's package of CPython's tests, in an image that is otherwise the one that tenants get.
func cpythonSuite(ctx context.Context, o *options) (*suite, func(), error) {
	m, err := start(ctx, o.binary, o.selftest)
	if err != nil {
		return nil, nil, err
	}
	out, err := m.beside(ctx, "python-selftest")
	if err != nil {
		m.stop()
		return nil, nil, fmt.Errorf("%w: make conformance builds the image", err)
	}
	out.hidden = []string{pythonHidden}
	modules, err := cpythonModules(out.root)
	if err != nil {
		m.stop()
		return nil, nil, err
	}
	s := &suite{name: "cpython", title: "CPython's test suite", source: "CPython " + out.language.Version + ", Debian's libpython3.13-testsuite", inside: m.jail, outside: out}
	for _, module := range modules {
		s.units = append(s.units, cpythonUnit(module))
	}
	return s, m.stop, nil
}
