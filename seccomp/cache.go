package seccomp

import "sync"

// Cache compiles each policy once: compiling takes milliseconds, a job can't wait for it. It keeps what it has compiled, so it
// is meant for an operator's policies, not for ones that jobs bring along. The zero value is ready.
type Cache struct {
	mu       sync.Mutex // guards programs
	programs map[cacheKey]func() (Program, error)
}

type cacheKey struct {
	digest string
	target Target
}

// Compile is Policy.Compile for the machine that we run on. Callers that ask for the same policy at once share one
// compilation; an error is not kept.
func (c *Cache) Compile(p *Policy) (Program, error) {
	t, err := Host()
	if err != nil {
		return Program{}, err
	}
	key := cacheKey{p.Digest(), t}
	prog, err := c.entry(key, p)()
	if err != nil {
		c.mu.Lock()
		delete(c.programs, key)
		c.mu.Unlock()
	}
	return prog, err
}

func (c *Cache) entry(key cacheKey, p *Policy) func() (Program, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	compile, ok := c.programs[key]
	if !ok {
		compile = sync.OnceValues(func() (Program, error) { return p.CompileFor(key.target) })
		if c.programs == nil {
			c.programs = map[cacheKey]func() (Program, error){}
		}
		c.programs[key] = compile
	}
	return compile
}
