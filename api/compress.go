package api

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is how many bytes an answer has at least that is compressed. What fits into a few packets, as the job object of a small
// program does, comes no sooner for it, and costs both sides time.
//
// That the length of a compressed answer tells of its content (BREACH) harms nobody here: there is no secret of ours in an answer, and no
// foreign page can have a browser ask in a tenant's name, for credentials are headers and not cookies.
const compressFrom = 4 << 10

// compressors are writers to be used again: each has tables of several hundred KiB.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	return w
}}

func compressed(data []byte) []byte {
	var buf bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&buf)
	_, _ = w.Write(data) // a buffer takes all
	_ = w.Close()
	return buf.Bytes()
}

// compress returns what is sent of an answer, and says in the headers how it is coded.
func (c *call) compress(data []byte) []byte {
	if len(data) < compressFrom {
		return data
	}
	h := c.w.Header()
	h.Add("Vary", "Accept-Encoding")
	if !takesGzip(c.r.Header["Accept-Encoding"]) {
		return data
	}
	h.Set("Content-Encoding", "gzip")
	return compressed(data)
}

// takesGzip reports whether a client that sends these lines of Accept-Encoding can read gzip, and likes it no less than the plain bytes
// (RFC 9110, section 12.5.3).
func takesGzip(lines []string) bool {
	const unsaid = -1
	zipped, plain, others := float64(unsaid), float64(unsaid), float64(unsaid)
	for _, element := range strings.Split(strings.Join(lines, ","), ",") {
		coding, weight, _ := strings.Cut(element, ";")
		q := 1.0
		if name, value, ok := strings.Cut(weight, "="); ok && strings.EqualFold(strings.TrimSpace(name), "q") {
			var err error
			if q, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
				continue
			}
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			zipped = q
		case "identity":
			plain = q
		case "*":
			others = q
		}
	}
	if zipped == unsaid {
		zipped = others
	}
	return zipped > 0 && zipped >= plain
}
