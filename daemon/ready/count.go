// SPDX-License-Identifier: Apache-2.0

package ready

// Count is how many sandboxes wait.
func (p *Pool) Count() (n int) {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.kinds {
		n += len(k.waiting)
	}
	return n
}

// CountOf is how many sandboxes wait for jobs in a language: those that are set up and no more, and those with a started runtime.
func (p *Pool) CountOf(language string) (cold, warm int) {
	if p == nil {
		return 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.kinds {
		switch {
		case k.language != language:
		case k.warm():
			warm += len(k.waiting)
		default:
			cold += len(k.waiting)
		}
	}
	return cold, warm
}
