// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/common/version"

	"github.com/ccee-dev/ccee/job"
)

func (s *Server) getCapacity(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	t, err := s.languages.current(r.Context())
	if err != nil {
		s.log.Error().Err(err).Msg("languages not read")
		writeError(w, onWire(err))
		return
	}
	writeJSON(w, http.StatusOK, s.capacity(t))
}

// capacity describes the daemon as it is now.
func (s *Server) capacity(t *table) job.Capacity {
	b := s.slots.Budget()
	running, waiting, used := s.slots.InUse()
	amount := func(total, used int64) job.Amount { return job.Amount{Total: total, Free: max(0, total-used)} }
	c := job.Capacity{
		Protocol: job.Protocol, Version: version.Version, Tier: s.tier, Draining: s.jobs.isDraining(),
		Slots:         amount(int64(b.Slots), int64(running)),
		MemoryBytes:   amount(b.Memory, used.Memory),
		CPUMillicores: amount(b.Millicores, used.Millicores),
		Waiting:       waiting,
		Images:        make([]job.ImageCapacity, 0, len(t.sorted)),
	}
	for _, l := range t.sorted {
		cold, warm := s.prewarmed(l.profile.Name)
		c.Images = append(c.Images, job.ImageCapacity{Language: l.profile.Name, Ready: cold + warm, Warm: warm})
	}
	return c
}
