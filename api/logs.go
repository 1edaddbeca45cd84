// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// getLogs shows what a job printed: GET /executions/:jobId/logs.
func (s *Server) getLogs(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	rec, err := s.await(c, id, 0)
	c.showJob(rec, err, func(rec queue.Record) any { return view.NewLogs(rec, c.trace) })
}
