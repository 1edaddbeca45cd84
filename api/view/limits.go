// SPDX-License-Identifier: Apache-2.0

package view

import (
	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/job"
)

// Limits shows limits in the public contract's names and units.
func Limits(l job.Limits) map[string]int64 {
	view := make(map[string]int64, len(decode.Limits))
	for _, f := range decode.Limits {
		if v := *f.At(&l); v != 0 {
			view[f.Name] = v / f.Unit
		}
	}
	return view
}
