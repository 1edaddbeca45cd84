// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"slices"
	"sync"

	"github.com/ccee-dev/ccee/nsjail"
)

// weights divides CPU time by tenants while there is not enough for all: the daemon promises four times the CPU rate that the machine has.
// The kernel divides it among sandboxes, by weight, so each has the default weight divided by the number of its tenant's running jobs. Jobs
// that run on while that number changes get another weight, though not for each small difference, see near. A tenant's jobs that sleep
// count too: the others of that tenant have less than they could. And the kernel's smallest weight is 1, so a tenant with three hundred
// running jobs counts as three.
//
// A cgroup for each tenant would be exact, but a prewarmed sandbox is in its cgroup before it has a tenant. For a tenant with one job, the
// common case, no system call is made. The zero value is ready.
type weights struct {
	mu      sync.Mutex // guards all below; held while weights are written, some microseconds each
	tenants map[string][]*weighed
}

// weighed is a running job's sandbox, and the weight that it has.
type weighed struct {
	sandbox interface{ SetCPUWeight(int64) error }
	weight  int64
}

// shareCPU counts sb among its tenant's running jobs, until leave is called, and sets the weights of all of these. If one can't be set, sb
// does not count and leave is nil.
func (r *Runner) shareCPU(tenant string, sb sandbox) (leave func(), err error) {
	one := &weighed{sb, nsjail.DefaultCPUWeight}
	leave = func() {
		if err := r.weights.leave(tenant, one); err != nil {
			r.log.Error().Err(err).Msg("a tenant's jobs have less CPU time than they should")
		}
	}
	if err := r.weights.join(tenant, one); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (w *weights) join(tenant string, one *weighed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tenants == nil {
		w.tenants = map[string][]*weighed{}
	}
	w.tenants[tenant] = append(w.tenants[tenant], one)
	return weigh(w.tenants[tenant])
}

func (w *weights) leave(tenant string, one *weighed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(w.tenants[tenant], func(o *weighed) bool { return o == one })
	if len(rest) == 0 {
		delete(w.tenants, tenant)
		return nil
	}
	w.tenants[tenant] = rest
	return weigh(rest)
}

// weigh gives all of a tenant's running jobs their weight, but those whose weight is near it.
func weigh(all []*weighed) error {
	var errs []error
	n := int64(len(all))
	want := max(1, (nsjail.DefaultCPUWeight+n/2)/n) // rounded
	for _, one := range all {
		if near(one.weight, want) {
			continue
		}
		if err := one.sandbox.SetCPUWeight(want); err != nil {
			errs = append(errs, err)
			continue
		}
		one.weight = want
	}
	return errors.Join(errs...)
}

// near reports whether two weights differ by a quarter at most. So where one job of many starts or ends, few of the others are written to.
func near(a, b int64) bool { return 4*max(a, b) <= 5*min(a, b) }
