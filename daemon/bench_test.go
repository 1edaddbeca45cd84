// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// BenchmarkNoop is a job that does nothing, through the socket, in a fresh sandbox each time: what the daemon itself costs.
func BenchmarkNoop(b *testing.B) {
	for _, clients := range []int{1, 4} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			s := realDaemon(b, nil)
			list := s.languages.list
			s.languages.list = func(ctx context.Context) ([]rootfs.Image, error) {
				images, err := list(ctx)
				for i := range images {
					if images[i].Name == "python" {
						images[i].Labels = map[string]string{languageLabel: `{"name":"noop","sourceFile":"x","run":["/bin/true"]}`}
					}
				}
				return images, err
			}
			b.SetParallelism(clients) // times GOMAXPROCS
			var n atomic.Int64
			b.ResetTimer()
			if clients == 1 {
				for b.Loop() {
					s.noop(b, n.Add(1))
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						s.noop(b, n.Add(1))
					}
				})
			}
			b.StopTimer()
			_, text := s.ask(b, "GET", "/metrics", "", "")
			for _, stage := range []string{"set_up", "tear_down", "step", "wait"} {
				b.ReportMetric(mean(text, "ccee_daemon_"+stage+"_seconds")*1e3, stage+"-ms")
			}
		})
	}
}

// BenchmarkTests is what a test of a program costs that was built once, for a small program and for a large one: all but the program's own
// time.
func BenchmarkTests(b *testing.B) {
	for _, size := range []int{1 << 10, 24 << 20} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			s := realDaemon(b, nil)
			s.offer(b, "true", "/bin/true")
			spec := job.Spec{ID: "bench", Language: "true", Source: build("", size), Tests: &job.Tests{List: make([]job.Test, 20)}}
			spec.Run.CPUMillicores = 1000
			var each []float64
			for b.Loop() {
				res, err := s.run(context.Background(), spec, func(job.Event) error { return nil })
				if err != nil || res.Status != job.Succeeded {
					b.Fatal(res.Status, err)
				}
				own := res.Steps[0].Usage.WallMs
				for _, one := range res.Tests.List {
					own += one.Run.Usage.WallMs
				}
				each = append(each, (res.WallMs-own)/20)
			}
			slices.Sort(each)
			b.ReportMetric(each[len(each)/2], "ms/test")
		})
	}
}

func (s *served) noop(tb testing.TB, id int64) {
	resp, body := s.ask(tb, "POST", "/v1/run", fmt.Sprintf(`{"id":"n%d","language":"noop","sourceCode":"x"}`, id), "")
	if resp.StatusCode != 200 || !strings.Contains(body, "succeeded") {
		tb.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
}

// mean is the mean of a histogram, from Prometheus text.
func mean(text, name string) float64 {
	var sum, count float64
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+"_sum") {
			fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &sum)
		}
		if strings.HasPrefix(line, name+"_count") {
			fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &count)
		}
	}
	return sum / max(count, 1)
}
