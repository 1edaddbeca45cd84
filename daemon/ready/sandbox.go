package daemon

// readyOne is a sandbox that was made ahead.
type readyOne struct {
	sandbox
	pool    *ready
	slot    int
	retired bool // its number is another's
}

// Retire retires the sandbox and gives its number back: the ids are free, however long its files are kept.
func (o *readyOne) Retire() {
	o.sandbox.Retire()
	o.free()
}

// Close closes the sandbox and gives its number back. If it could not be torn down, its ids are not used again.
func (o *readyOne) Close() error {
	if err := o.sandbox.Close(); err != nil {
		return err
	}
	o.free()
	return nil
}

// free gives its number back, once.
func (o *readyOne) free() {
	if o.retired {
		return
	}
	o.retired = true
	o.pool.mu.Lock()
	defer o.pool.mu.Unlock()
	o.pool.free = append(o.pool.free, o.slot)
	o.pool.nudge()
}
