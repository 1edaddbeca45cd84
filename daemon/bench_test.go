package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"ccee/rootfs"
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
