package main

import (
	"errors"
	"fmt"

	"ccee/api/job"
)

// withAdvice adds what to do to an error of the daemon's client.
func withAdvice(err error) error {
	advice := map[job.Code]string{
		job.EUnavailable: "make run starts everything; --socket names another socket",
		job.EForbidden:   "run this as root or as a member of the group ccee",
		job.EBusy:        "try again, or give the daemon more --slots",
		job.EInternal:    "the daemon's log says more",
	}[job.ErrorCode(err)]
	if advice == "" || !errors.As(err, new(*job.Error)) {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}
