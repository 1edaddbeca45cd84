package queue

import "github.com/ccee-dev/ccee/job"

// What a tenant's jobs take in Redis is booked, and bounded, in the steps that change it: account in lib.lua. A job takes what is in the
// large fields of its hash and in its live events, and these:
const (
	jobBytes  = 4 << 10 // the rest of the hash, its places in lists and books, its entries in the audit
	hookBytes = 7 << 10 // the log of its deliveries, and where they go
)

// DefaultMaxStored is how many bytes a tenant's jobs may take in Redis unless the tenant's quota says otherwise.
const DefaultMaxStored = 256 << 20

// mayStore is what is booked for an unfinished job beside what it came with: what it may bring back beyond what a job brings back that asks for
// nothing. Else a tenant could have many jobs admitted before the first of them has stored anything.
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
