// SPDX-License-Identifier: Apache-2.0

package capacity

// EnoughReady returns the smallest number of prewarmed sandboxes a host with which as many jobs find one as with any larger number, to
// within a hundredth of the jobs.
func EnoughReady(p Profile, hosts int, arrivals []Arrival) (int, error) {
	sizes := []int{0, 1, 2, 4, 8, 16, 32, 64}
	warm := make([]float64, len(sizes))
	most := 0.0
	for i, size := range sizes {
		p.Ready = size
		r, err := Simulate(p, hosts, arrivals)
		if err != nil {
			return 0, err
		}
		warm[i], most = r.Warm, max(most, r.Warm)
	}
	for i, size := range sizes {
		if warm[i] >= most-0.01 {
			return size, nil
		}
	}
	return 0, nil
}

// Price is what hosts cost.
type Price struct {
	VCPUHour, GiBHour float64 // USD
	GiB               float64 // memory of a host; 0: 2 for each core
}

// PerHour returns the USD of an hour of so many hosts.
func (c Price) PerHour(p Profile, hosts int) float64 {
	gib := c.GiB
	if gib <= 0 {
		gib = 2 * float64(p.Cores)
	}
	return float64(hosts) * (float64(p.Cores)*c.VCPUHour + gib*c.GiBHour)
}
