// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// What is stored of output is little more than the output, whatever it is, and it comes back as it was.
func TestResultsAreStoredOnce(t *testing.T) {
	q := newQueue(t, Options{})
	for name, tt := range map[string]struct {
		out  job.Output
		most int64 // bytes of the stored result
	}{
		"random bytes": {noise(job.MiB), job.MiB * 103 / 100}, // the entropy, and a little
		"text":         {job.Output{Data: bytes.Repeat([]byte("hello, world\n"), 80_000), Bytes: 1_040_000}, 20_000},
		"small":        {job.Output{Data: []byte("hi\n"), Bytes: 3}, 1000},
	} {
		tenant := unique("tenant")
		id := enqueue(t, q, tenant)
		o := outcome("")
		o.Result.Steps[0].Stdout, o.Result.Steps[0].Stderr = tt.out, job.Output{}
		o.Result.OutputFiles = &job.OutputFiles{Files: []job.File{{Name: "f", Data: tt.out.Data}}}
		if err := claim(t, q, "w").Complete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if o.Result.Steps[0].Stdout.BytesOnly {
			t.Errorf("%s: Complete changed the result that it was given", name)
		}
		for _, field := range []string{"result", "outputFiles"} {
			if n := q.rdb.HStrLen(t.Context(), q.keys.job(id), field).Val(); n > tt.most {
				t.Errorf("%s: %d bytes are stored of %s, want at most %d", name, n, field, tt.most)
			}
		}
		r := get(t, q, tenant, id)
		if r.Result == nil || !bytes.Equal(r.Result.Steps[0].Stdout.Data, tt.out.Data) || !bytes.Equal(r.Result.OutputFiles.Files[0].Data, tt.out.Data) {
			t.Errorf("%s: what was stored does not come back", name)
		}
		s, err := q.Stored(t.Context(), Unarchived{ID: id, Tenant: tenant})
		if err != nil || !strings.HasPrefix(s["result"], "{") || !bytes.Equal(s.Record().Result.Steps[0].Stdout.Data, tt.out.Data) {
			t.Errorf("%s: the archive is given %.40q, %v, want JSON", name, s["result"], err)
		}
	}
}

// Results and events that an older version stored, not packed and each output as text and as base64, are read all the same.
func TestReadsWhatOldVersionsStored(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("")); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte{0xff, 'a'}, 2000)
	coded := base64.StdEncoding.EncodeToString(data)
	old := fmt.Sprintf(`{"status":"succeeded","verdict":"exited","exitCode":0,"steps":[{"name":"run","stdout":{"text":%q,"base64":%q,"bytes":4000}}]}`,
		strings.Repeat("\uFFFDa", 2000), coded)
	event := fmt.Sprintf(`{"event":"stdout","step":"run","data":%q}`, coded)
	ctx := t.Context()
	if err := q.rdb.HSet(ctx, q.keys.job(id), "result", old).Err(); err != nil {
		t.Fatal(err)
	}
	if err := q.rdb.Do(ctx, "xadd", q.keys.events(id), "*", "attempt", 1, "event", event).Err(); err != nil {
		t.Fatal(err)
	}
	if r := get(t, q, tenant, id); r.Result == nil || !bytes.Equal(r.Result.Steps[0].Stdout.Data, data) {
		t.Error("the result is not read")
	}
	if events, err := q.LiveEvents(ctx, id, ""); err != nil || len(events) != 1 || !bytes.Equal(events[0].Data, data) {
		t.Errorf("the event is not read: %v, %v", events, err)
	}
}

// Live events are packed where that makes them shorter.
func TestEventsArePacked(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	data := bytes.Repeat([]byte("all the same\n"), 2400)
	l := claim(t, q, "w")
	if err := l.Emit(t.Context(), []job.Event{{Type: job.EventStdout, Step: "run", Data: data}, {Type: job.EventStdout, Step: "run", Data: []byte("short")}}); err != nil {
		t.Fatal(err)
	}
	m := q.rdb.XRange(t.Context(), q.keys.events(id), "-", "+").Val()
	if n := len(text(m[0].Values["event"])); n > 2000 {
		t.Errorf("an event of %d bytes that repeat is stored in %d", len(data), n)
	}
	if s := text(m[1].Values["event"]); !strings.HasPrefix(s, "{") {
		t.Errorf("a short event is stored as %q", s)
	}
	events, err := q.LiveEvents(t.Context(), id, "")
	if err != nil || len(events) != 2 || !bytes.Equal(events[0].Data, data) || string(events[1].Data) != "short" {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte(`{"a":1}`))
	f.Add(bytes.Repeat([]byte("x"), 5000))
	f.Add([]byte(packMagic + "\x00\x00"))
	f.Add([]byte(packMagic + "\xa0\xff\xff\xff\xff")) // says that it holds 4 GiB
	f.Fuzz(func(t *testing.T, b []byte) {
		if !strings.HasPrefix(string(b), packMagic) {
			if got := unpack(string(pack(b))); !bytes.Equal(got, b) {
				t.Errorf("%q came back as %q", b, got)
			}
		}
		unpack(string(b)) // whatever it is
		unpack(packMagic + string(b))
	})
}

func BenchmarkPack(b *testing.B) {
	for _, size := range []int{500, 1 << 10, 4 << 10, 64 << 10, 1 << 20} {
		text := []byte(strings.Repeat(`{"name":"run","verdict":"exited","exitCode":0,"stdout":{"text":"hello\n","bytes":6}},`, size/80+1))[:size]
		b.Run(fmt.Sprintf("text=%d", size), func(b *testing.B) {
			for b.Loop() {
				pack(text)
			}
		})
		coded := []byte(base64.StdEncoding.EncodeToString(noise(size).Data))[:size]
		b.Run(fmt.Sprintf("base64=%d", size), func(b *testing.B) {
			for b.Loop() {
				pack(coded)
			}
		})
		packed := string(pack(coded))
		b.Run(fmt.Sprintf("unpack=%d", size), func(b *testing.B) {
			for b.Loop() {
				unpack(packed)
			}
		})
	}
}

// Small values are stored as they are, and so is what packing makes longer.
func TestPackOnlyMakesShorter(t *testing.T) {
	random := make([]byte, 2*packMin)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	for name, tt := range map[string]struct {
		in     []byte
		packed bool
	}{
		"one byte too small": {bytes.Repeat([]byte("a"), packMin-1), false},
		"large enough":       {bytes.Repeat([]byte("a"), packMin), true},
		"incompressible":     {random, false},
	} {
		got := pack(tt.in)
		if packed := !bytes.Equal(got, tt.in); packed != tt.packed || len(got) > len(tt.in) {
			t.Errorf("%s: %d bytes are stored as %d, packed: %v, want %v", name, len(tt.in), len(got), packed, tt.packed)
		}
		if back := unpack(string(got)); !bytes.Equal(back, tt.in) {
			t.Errorf("%s: %d bytes come back, want the %d that were packed", name, len(back), len(tt.in))
		}
	}
}
