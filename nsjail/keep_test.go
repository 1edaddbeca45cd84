// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// written is what a program wrote, as the tests remember it.
type written struct {
	all   [2][]byte
	order []Chunk
}

// FuzzKept writes chunks of all sizes and compares with what a program that keeps everything would say. Each byte of script
// is a chunk: the stream, and the size.
func FuzzKept(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3}, uint16(10), uint16(0), true)
	f.Add([]byte{20, 21, 40, 41, 7, 9}, uint16(10), uint16(4), true)
	f.Add([]byte{255, 254, 3, 2, 255, 254}, uint16(100), uint16(100), true)
	f.Add([]byte{255, 254, 3, 2, 255, 254}, uint16(300), uint16(37), false)
	f.Fuzz(func(t *testing.T, script []byte, head, tail uint16, ordered bool) {
		if int(head)+int(tail) == 0 {
			return
		}
		var w written
		var got [2][]byte
		p := Process{OutputMax: int64(head) + int64(tail), OutputTail: int64(tail), Interleave: ordered, OnOutput: func(c Chunk, b []byte) {
			i := c.Stream - 1
			if c.Bytes != int64(len(b)) || !bytes.Equal(b, w.all[i][c.Offset:c.Offset+c.Bytes]) {
				t.Errorf("chunk %+v has %q", c, b)
			}
			got[i] = append(got[i], b...)
		}}
		k := newKept(p)
		for n, c := range script {
			i := int(c & 1)
			b := bytes.Repeat([]byte{byte(n)}, 1+int(c>>1))
			w.order = appendChunk(w.order, Chunk{i + 1, int64(len(w.all[i])), int64(len(b))})
			w.all[i] = append(w.all[i], b...)
			k.add(i, b)
		}
		order, truncated := k.finish()
		for i, all := range w.all {
			checkKept(t, k.out[i], all, int(head), int(tail))
			if kept := slices.Concat(k.out[i].Data, k.out[i].Tail); !bytes.Equal(kept, got[i]) {
				t.Errorf("OnOutput got %q, kept is %q", got[i], kept)
			}
		}
		if !ordered {
			w.order = nil
		}
		checkOrder(t, k, w.order, order)
		if truncated {
			t.Error("the order is truncated")
		}
	})
}

func checkKept(t *testing.T, o Output, all []byte, head, tail int) {
	want := Output{Data: all, Bytes: int64(len(all))}
	if len(all) > head+tail {
		want.Data, want.Tail, want.Truncated = all[:head], all[len(all)-tail:], true
	}
	if !bytes.Equal(o.Data, want.Data) || !bytes.Equal(o.Tail, want.Tail) || o.Bytes != want.Bytes || o.Truncated != want.Truncated {
		t.Errorf("%d and %d bytes of %q: got %+v, want %+v", head, tail, all, o, want)
	}
}

// checkOrder looks up each kept byte, in the order in which all were written.
func checkOrder(t *testing.T, k *kept, all, order []Chunk) {
	var want []Chunk
	for _, c := range all {
		for at := c.Offset; at < c.Offset+c.Bytes; at++ {
			if o := &k.out[c.Stream-1]; at < int64(len(o.Data)) || at >= o.tailOffset() {
				want = appendChunk(want, Chunk{c.Stream, at, 1})
			}
		}
	}
	if d := cmp.Diff(want, order); d != "" {
		t.Errorf("order: -want +got\n%s", d)
	}
}

// The record of the order is bounded, and says when that was too little.
func TestOrderIsBounded(t *testing.T) {
	p := Process{OutputMax: 1 << 20, Interleave: true}
	k := newKept(p)
	for n := range 3 * chunksMax {
		k.add(n%2, []byte("x"))
	}
	if k.orderMatters() {
		t.Error("the exact way has no end")
	}
	order, truncated := k.finish()
	if len(order) != chunksMax || !truncated {
		t.Errorf("%d chunks, truncated %v, want %d, true", len(order), truncated, chunksMax)
	}
	k = newKept(p)
	for range packetsMax + 1 {
		k.add(0, []byte("x"))
	}
	if order, truncated := k.finish(); len(order) != 1 || order[0].Bytes != packetsMax || !truncated {
		t.Errorf("%v, truncated %v, want one chunk of %d, true", order, truncated, packetsMax)
	}
	// One output is full: what is kept of the other comes after it, for which nothing has to be exact.
	p.OutputMax = 4
	k = newKept(p)
	k.add(1, []byte("12"))
	k.add(0, []byte("12345"))
	if k.orderMatters() {
		t.Error("the exact way goes on though stdout is full")
	}
	k.add(1, []byte("34"))
	want := []Chunk{{2, 0, 2}, {1, 0, 4}, {2, 2, 2}}
	if order, truncated := k.finish(); !slices.Equal(order, want) || truncated {
		t.Errorf("%v, truncated %v, want %v, false", order, truncated, want)
	}
}
