// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"slices"
)

// packets collects ops into packets that sandbox-init takes, each closed by a stop.
type packets struct {
	list [][]op
	size int // of the last one
}

// fileChunk is how much of a file one op carries.
const fileChunk = 64 << 10

func (w *packets) add(o op) { w.addTogether([]op{o}) }

func (w *packets) addTogether(ops []op) {
	n := 0
	for _, o := range ops {
		n += len(o.encode(nil))
	}
	const wait = opHeader
	if len(w.list) == 0 {
		w.list = [][]op{nil}
	}
	if w.size+n+wait > packetMax {
		last := len(w.list) - 1
		w.list[last] = append(w.list[last], op{code: opWait})
		w.list = append(w.list, nil)
		w.size = 0
	}
	last := len(w.list) - 1
	w.list[last] = append(w.list[last], ops...)
	w.size += n
}

func (w *packets) addFile(name string, f File, uid, gid uint32) {
	if f.Copy > 0 {
		w.add(op{
			code: opCopy, arg: [4]uint64{uint64(f.Mode), uint64(uid), uint64(gid), uint64(f.Copy)},
			strs: []string{name, f.Name}, note: fmt.Sprintf("%o %d:%d, %d bytes", f.Mode, uid, gid, f.Copy),
		})
		return
	}
	head, rest := f.Data[:min(len(f.Data), fileChunk)], f.Data[min(len(f.Data), fileChunk):]
	w.add(op{
		code: opFile, arg: [4]uint64{uint64(f.Mode), uint64(uid), uint64(gid), uint64(len(head))},
		strs: []string{name}, data: head, note: fmt.Sprintf("%o %d:%d, %d bytes", f.Mode, uid, gid, len(f.Data)),
	})
	for chunk := range slices.Chunk(rest, fileChunk) {
		w.add(op{code: opData, arg: [4]uint64{uint64(len(chunk))}, data: chunk, note: fmt.Sprintf("%d bytes", len(chunk))})
	}
}
