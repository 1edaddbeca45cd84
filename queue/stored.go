// SPDX-License-Identifier: Apache-2.0

package queue

import "github.com/ccee-dev/ccee/job"

// The bytes that a tenant's jobs take in Redis are counted, and bounded, in the steps that change them: recountStored in lib.lua. A job
// takes the large fields of its hash, its live events, and these:
const (
	jobBytes  = 4 << 10 // the rest of the hash, its entries in lists and counts, its audit
	hookBytes = 7 << 10 // its webhook and the log of deliveries
)

// DefaultMaxStored is how many bytes a tenant's jobs may take in Redis if the tenant has no other quota.
const DefaultMaxStored = 256 << 20

// mayStore returns the bytes that are reserved for the output of an unfinished job: how much more it may store than a job with default
// limits. Otherwise a tenant could have many jobs admitted before the first of them has stored anything.
func mayStore(s job.Spec) int64 {
	asked := func(l job.Limits) int64 { return 2 * max(0, l.OutputBytes-job.DefaultRun.OutputBytes) } // of two streams
	bytes := asked(s.Compile)
	if s.Tests == nil {
		bytes += asked(s.Run)
	} else {
		for _, t := range s.Tests.List {
			bytes += asked(t.Run.Fill(s.Run))
		}
	}
	if len(s.OutputFiles) > 0 {
		bytes += s.Run.Fill(job.DefaultRun).OutputFilesBytes
	}
	return bytes / 3 * 4 // in base64
}
