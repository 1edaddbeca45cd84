// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"github.com/ccee-dev/ccee/api/task"
)

// The routes of the processes that run jobs in ECS tasks, which are there only where that is configured. Their handlers see to credentials
// and bodies themselves.

func (s *Server) taskPayload(c *call) { s.forTask(c, (*task.Routes).Payload) }
func (s *Server) taskEvents(c *call)  { s.forTask(c, (*task.Routes).Events) }
func (s *Server) taskResult(c *call)  { s.forTask(c, (*task.Routes).Result) }

func (s *Server) forTask(c *call, handle func(*task.Routes, http.ResponseWriter, *http.Request) int) {
	if s.opts.Tasks == nil {
		c.notFound()
		return
	}
	c.status = handle(s.opts.Tasks, c.w, c.r)
}
