// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"io"
	"sync"
)

// maxHeld bounds the output of a child that is held back, in bytes.
const maxHeld = 64 << 10

// heldOutput holds back the output of a child that died soon after its previous start, until it lives longer or dies with another last
// line: a failure that repeats is logged once. The zero value with out set is ready.
type heldOutput struct {
	out io.Writer

	mu       sync.Mutex // guards the rest
	open     bool       // nothing is held back any more
	held     bytes.Buffer
	lastLine []byte // of the previous death
}

// Write takes output of the child.
func (h *heldOutput) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open && h.held.Len()+len(p) <= maxHeld {
		return h.held.Write(p)
	}
	h.flush()
	return h.out.Write(p)
}

// flush writes what was held back, and lets all later output pass.
func (h *heldOutput) flush() {
	h.open = true
	_, _ = h.held.WriteTo(h.out) // stderr: there is nobody to report a failure to
}

// survived reports that the child has outlived the time of a quick death.
func (h *heldOutput) survived() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flush()
}

// died reports that the child has ended. isNew: its last line is not that of the previous death.
func (h *heldOutput) died() (isNew bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := bytes.TrimSpace(h.held.Bytes())
	lastLine := bytes.Clone(text[bytes.LastIndexByte(text, '\n')+1:])
	isNew = h.open || !bytes.Equal(lastLine, h.lastLine)
	if isNew {
		h.flush()
	}
	h.held.Reset()
	h.open, h.lastLine = false, lastLine
	return isNew
}
