// SPDX-License-Identifier: Apache-2.0

package nsjail

// Bounds of recording the order of the two outputs. While it is recorded each write of the program waits for a wake-up of the daemon; see
// capture.
const (
	chunksMax  = 4096
	packetsMax = 8192
)

// kept is the part of a program's two outputs that is kept. Its size is bounded by OutputMax and chunksMax, whatever is written.
type kept struct {
	head, tail int // most bytes of each output: the first, the last
	onOutput   func(Chunk, []byte)
	out        [2]Output
	tails      [2]ring

	asked   bool    // for the order
	ordered bool    // the order is being recorded
	packets int     // that were read one by one for it
	order   []Chunk // of all that was written meanwhile, if it could be kept
}

func newKept(p Process) *kept {
	k := &kept{head: int(p.OutputMax - p.OutputTail), tail: int(p.OutputTail), onOutput: p.OnOutput, asked: p.Interleave, ordered: p.Interleave}
	k.tails[0].max, k.tails[1].max = k.tail, k.tail
	return k
}

// add takes the next bytes of output i, 0 or 1.
func (k *kept) add(i int, b []byte) {
	out := &k.out[i]
	c := Chunk{Stream: i + 1, Offset: out.Bytes, Bytes: int64(len(b))}
	out.Bytes += c.Bytes
	if k.orderMatters() {
		k.packets++
	}
	if k.ordered && !k.full(i) {
		k.order = appendChunk(k.order, c)
		k.ordered = k.packets < packetsMax && len(k.order) < chunksMax
	}
	n := min(len(b), k.head-len(out.Data))
	out.Data = append(out.Data, b[:n]...)
	k.tails[i].write(b[n:])
	k.emit(Chunk{c.Stream, c.Offset, int64(n)}, b[:n])
}

// skip counts bytes of output i that are not kept.
func (k *kept) skip(i int, n int64) { k.out[i].Bytes += n }

// full reports whether nothing more of output i will be kept.
func (k *kept) full(i int) bool { return k.tail == 0 && len(k.out[i].Data) == k.head }

// orderMatters reports whether the order of the next bytes is recorded. Once one output is full, only the other's are kept, after all
// before.
func (k *kept) orderMatters() bool { return k.ordered && !k.full(0) && !k.full(1) }

func (k *kept) emit(c Chunk, b []byte) {
	if k.onOutput != nil && len(b) > 0 {
		k.onOutput(c, b)
	}
}

// finish is called after the last add.
func (k *kept) finish() (order []Chunk, truncated bool) {
	for i := range k.out {
		out := &k.out[i]
		out.Tail = k.tails[i].bytes()
		out.Truncated = out.omitted() > 0
	}
	order, truncated = k.keptOrder()
	k.emitTails(order)
	for i := range k.out {
		if out := &k.out[i]; !out.Truncated { // there is nothing between
			out.Data, out.Tail = append(out.Data, out.Tail...), nil
		}
	}
	return order, truncated
}

// keptOrder is the recorded order of the bytes that were kept; truncated: not of all of them.
func (k *kept) keptOrder() (order []Chunk, truncated bool) {
	var known, all int64
	for _, c := range k.order {
		out := &k.out[c.Stream-1]
		for _, part := range [2]Chunk{c.clip(0, int64(len(out.Data))), c.clip(out.tailOffset(), out.Bytes)} {
			if part.Bytes > 0 {
				order = appendChunk(order, part)
				known += part.Bytes
			}
		}
	}
	for i := range k.out {
		all += int64(len(k.out[i].Data) + len(k.out[i].Tail))
	}
	return order, k.asked && known < all
}

// emitTails emits the tails, which were not known to be kept before the end, as far as possible in the recorded order.
func (k *kept) emitTails(order []Chunk) {
	rest := [2]int64{k.out[0].tailOffset(), k.out[1].tailOffset()}
	for _, c := range order {
		if i := c.Stream - 1; c.Offset+c.Bytes > rest[i] {
			k.emitTail(c.clip(rest[i], k.out[i].Bytes))
			rest[i] = c.Offset + c.Bytes
		}
	}
	for i, at := range rest {
		k.emitTail(Chunk{i + 1, at, k.out[i].Bytes - at})
	}
}

func (k *kept) emitTail(c Chunk) {
	out := &k.out[c.Stream-1]
	for at, end := c.Offset, c.Offset+c.Bytes; at < end; { // no larger than the chunks of the head
		n := min(end-at, pipeSize)
		b := out.Tail[at-out.tailOffset():]
		k.emit(Chunk{c.Stream, at, n}, b[:n])
		at += n
	}
}

// omitted is how many bytes are neither in Data nor in Tail.
func (o *Output) omitted() int64 { return o.Bytes - int64(len(o.Data)) - int64(len(o.Tail)) }

func (o *Output) tailOffset() int64 { return o.Bytes - int64(len(o.Tail)) }

// clip is the part of c between lo and hi.
func (c Chunk) clip(lo, hi int64) Chunk {
	lo, hi = max(lo, c.Offset), min(hi, c.Offset+c.Bytes)
	return Chunk{c.Stream, lo, max(hi-lo, 0)}
}

// appendChunk adds c to list, merged with the last chunk if it continues that.
func appendChunk(list []Chunk, c Chunk) []Chunk {
	if n := len(list); n > 0 {
		if last := &list[n-1]; last.Stream == c.Stream && last.Offset+last.Bytes == c.Offset {
			last.Bytes += c.Bytes
			return list
		}
	}
	return append(list, c)
}

// ring keeps the last max bytes that are written to it.
type ring struct {
	max int
	buf []byte
	at  int // of the oldest byte, once buf is full
}

func (r *ring) write(b []byte) {
	b = b[max(len(b)-r.max, 0):]
	n := min(r.max-len(r.buf), len(b))
	r.buf, b = append(r.buf, b[:n]...), b[n:]
	for len(b) > 0 {
		n = copy(r.buf[r.at:], b)
		r.at, b = (r.at+n)%r.max, b[n:]
	}
}

func (r *ring) bytes() []byte { return append(r.buf[r.at:len(r.buf):len(r.buf)], r.buf[:r.at]...) }
