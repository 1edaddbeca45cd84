// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	writeTimeout = 10 * time.Second // a client that does not read for so long is cut off
	comeBack     = 2000             // ms, after which a client that lost its connection tries again
)

// writer writes server-sent events to one client.
type writer struct {
	w    http.ResponseWriter
	ctl  *http.ResponseController
	buf  bytes.Buffer
	gone error // why nothing more can be written
}

// begin sends the headers, which are the contract's; bare sends nothing else.
func (w *writer) begin(bare bool) {
	h := w.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no")
	_ = w.ctl.SetReadDeadline(time.Time{}) // the one for the request has been met
	w.w.WriteHeader(http.StatusOK)
	if !bare {
		fmt.Fprintf(&w.buf, "retry: %d\n\n", comeBack)
		w.flush()
	}
}

// event writes one event to the buffer.
func (w *writer) event(name, id string, data any) {
	fmt.Fprintf(&w.buf, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&w.buf, "id: %s\n", id)
	}
	w.buf.WriteString("data: ")
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil { // which ends with a line break
		panic(fmt.Sprintf("encode %T: %v", data, err))
	}
	w.buf.WriteByte('\n')
}

// comment writes a line that clients ignore.
func (w *writer) comment(text string) { w.buf.WriteString(": " + text + "\n\n") }

// flush sends the buffer.
func (w *writer) flush() {
	if w.gone != nil || w.buf.Len() == 0 {
		return
	}
	_ = w.ctl.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, w.gone = w.w.Write(w.buf.Bytes()); w.gone == nil {
		w.gone = w.ctl.Flush()
	}
	w.buf.Reset()
}
