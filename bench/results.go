// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// result is one figure of a run, kept in a file to be compared with the next run's. Ratio is against the first contender of the same
// contest, so it can be compared between runs; the others only within one.
type result struct {
	What      string  `json:"what"`
	Contender string  `json:"contender"`
	P50Ms     float64 `json:"p50Ms,omitempty"`
	P99Ms     float64 `json:"p99Ms,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`
	PerSecond float64 `json:"perSecond,omitempty"`
}

// results are those of this run.
var results []result

// worse is the growth of a ratio above which it is reported: the machine's own variation is smaller.
const worse = 1.25

// keep compares the results with those in file, if there is one, and puts them in its place.
func keep(file string) error {
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		var before []result
		if err := json.Unmarshal(b, &before); err != nil {
			return fmt.Errorf("read the results of an earlier run: %w", err)
		}
		compare(before)
	}
	if b, err = json.MarshalIndent(results, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// compare reports what has become slower in relation to its floor.
func compare(before []result) {
	ratios := map[[2]string]float64{}
	for _, r := range before {
		ratios[[2]string{r.What, r.Contender}] = r.Ratio
	}
	fmt.Println()
	slower := 0
	for _, r := range results {
		if old := ratios[[2]string{r.What, r.Contender}]; old > 0 && r.Ratio > old*worse {
			fmt.Printf("slower than before: %s, %s: ratio %.2f, it was %.2f\n", r.What, r.Contender, r.Ratio, old)
			slower++
		}
	}
	if slower == 0 {
		fmt.Printf("no ratio has grown by more than %.0f %% since the run before\n", (worse-1)*100)
	}
}
