// SPDX-License-Identifier: Apache-2.0

// Package plan translates between the words of jobs and those of the kernel, in both directions and without doing anything: its functions
// are pure.
//
//	job.Spec + job.Language -> Plan -> nsjail.Config, one nsjail.Process per Step     plan.go limits.go source.go masked.go
//	nsjail.Result -> job.Step -> job.Result                                           result.go
//	Plan -> slots.Need                                                                uncharged.go
//	Plan -> the sandbox and the runtime that can be started before there is a job     warm.go
package plan
