package boltstate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databay-go/databay/state/boltstate"
)

// BenchmarkPut is a commit of one link after another, beside what the same disk takes
// for a record of 512 bytes that is appended to a file and synced. The two take
// turns; x is the ratio of their medians.
func BenchmarkPut(b *testing.B) {
	folder := b.TempDir()
	s, err := boltstate.Open(filepath.Join(folder, "state.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	value := make([]byte, 200) // about what a link with one inlet writes
	line := make([]byte, 512)
	var rev int64
	var puts, appends []time.Duration
	for b.Loop() {
		began := time.Now()
		if rev, err = s.Put(b.Context(), "link/bench", value, rev); err != nil {
			b.Fatal(err)
		}
		put := time.Now()
		if _, err := log.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := log.Sync(); err != nil {
			b.Fatal(err)
		}
		puts, appends = append(puts, put.Sub(began)), append(appends, time.Since(put))
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Nanoseconds())
	}
	b.ReportMetric(median(puts), "ns/put")
	b.ReportMetric(median(appends), "ns/append")
	b.ReportMetric(median(puts)/median(appends), "x")
}

// BenchmarkManyLinks is a thousand links that commit once a second, each at another
// moment, for the seconds that an iteration is.
func BenchmarkManyLinks(b *testing.B) {
	const links = 1000
	file := filepath.Join(b.TempDir(), "state.db")
	s, err := boltstate.Open(file, nil)
	if err != nil {
		b.Fatal(err)
	}
	var puts atomic.Int64
	seconds := 0
	var group sync.WaitGroup
	stop := make(chan struct{})
	for i := range links {
		group.Go(func() {
			time.Sleep(time.Duration(i) * time.Second / links)
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			var rev int64
			for {
				next, err := s.Put(b.Context(), fmt.Sprint("link/", i), make([]byte, 200), rev)
				if err != nil {
					b.Error(err)
					return
				}
				rev = next
				puts.Add(1)
				select {
				case <-ticker.C:
				case <-stop:
					return
				}
			}
		})
	}
	began := time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
		seconds++
	}
	elapsed := time.Since(began).Seconds()
	close(stop)
	group.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(puts.Load())/elapsed, "puts/s")
	b.ReportMetric(float64(transactions(b, file))/elapsed, "transactions/s")
}
