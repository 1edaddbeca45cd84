package main

import (
	"bytes"
	"io"
	"sync"
)

// maxHeld bounds what is held back of a child's words.
const maxHeld = 64 << 10

// words holds back what a child writes that has died soon after its start before, until it has lived for longer or says that it dies of
// something else: what is tried again and again is to be said once. The zero value but for out is ready.
type words struct {
	out io.Writer

	mu   sync.Mutex // guards the rest
	open bool       // nothing is held back any more
	held bytes.Buffer
	last []byte // what the child said last before it died the last time
}

// Write is for the child.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open && w.held.Len()+len(p) <= maxHeld {
		return w.held.Write(p)
	}
	w.pass()
	return w.out.Write(p)
}

// pass lets what was held go, and all that comes.
func (w *words) pass() {
	w.open = true
	_, _ = w.held.WriteTo(w.out) // stderr: there is nobody to tell
}

// lived says that the child is one that lives.
func (w *words) lived() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass()
}

// died says that the child is dead. It reports whether it said why for the first time.
func (w *words) died() (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := bytes.TrimSpace(w.held.Bytes())
	last := bytes.Clone(said[bytes.LastIndexByte(said, '\n')+1:])
	news = w.open || !bytes.Equal(last, w.last)
	if news {
		w.pass()
	}
	w.held.Reset()
	w.open, w.last = false, last
	return news
}
