// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/nsjail/shared"
)

func TestPrintShared(t *testing.T) {
	a := shared.Abuse{Name: "direct reads", Object: "the disk", Bound: "a limit"}
	harm := shared.Factor{What: "flush a small file", Median: 12 * time.Millisecond, P99: 128 * time.Millisecond, ControlMedian: 3 * time.Millisecond, ControlP99: 8 * time.Millisecond, Harms: true}
	outcomes := []shared.Outcome{{Abuse: a, Refused: "EINVAL"}, {Abuse: a, Factors: []shared.Factor{harm}}}
	var text, out bytes.Buffer
	for _, o := range outcomes {
		if err := PrintOutcome(&text, o); err != nil {
			t.Fatal(err)
		}
	}
	want := "held     direct reads             refused: EINVAL\n" +
		"HARMS    direct reads             flush a small file: median 12ms instead of 3ms (4.0 times), p99 128ms instead of 8ms (16.0 times)\n" +
		"                                  the disk\n" +
		"                                  -> a limit\n"
	if text.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", text.String(), want)
	}
	if err := Shared(outcomes).PrintJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		OK     bool
		Abuses []struct {
			Abuse, Refused string
			OK             bool
			Factors        []struct{ MedianFactor, P99Factor, MedianMs float64 }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.OK || len(got.Abuses) != 2 || !got.Abuses[0].OK || got.Abuses[0].Refused != "EINVAL" || got.Abuses[1].OK ||
		len(got.Abuses[1].Factors) != 1 || got.Abuses[1].Factors[0].MedianFactor != 4 || got.Abuses[1].Factors[0].P99Factor != 16 || got.Abuses[1].Factors[0].MedianMs != 12 {
		t.Errorf("%+v of\n%s", got, out.String())
	}
}

func TestAbuses(t *testing.T) {
	if all, err := Abuses(""); err != nil || len(all) != len(shared.Abuses) {
		t.Errorf("all: %d, %v", len(all), err)
	}
	if one, err := Abuses("fsync"); err != nil || len(one) != 1 || one[0].Name != "fsync" {
		t.Errorf("one: %v, %v", one, err)
	}
	if two, err := Abuses("fsync, msync"); err != nil || len(two) != 2 || two[0].Name != "fsync" || two[1].Name != "msync" {
		t.Errorf("two: %v, %v", two, err)
	}
	if _, err := Abuses("fsync,f-sync"); err == nil {
		t.Error("one that isn't there: no error")
	}
}
