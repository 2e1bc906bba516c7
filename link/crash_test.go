package link_test

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	crashSeed  = flag.Uint64("crash.seed", 1, "seed of the first pipeline of TestCrash; each further one has the next")
	crashRuns  = flag.Int("crash.runs", 0, "pipelines of TestCrash; 0 is 10,000, or 500 with -race or -short")
	crashTrace = flag.Bool("crash.trace", false, "TestCrash logs every step")
)

// TestCrash is the virtual crash test. Everything a link does to the world outside
// of it, a pull, a push, a call of the store and so on, is one step, and the world
// decides which of the calls that wait takes the next one and how it ends. At some
// steps the process is killed: that call and all later ones of the link have no
// effect, or half of one, or the whole but no answer. Another link is then built on
// what survived, until everything is delivered.
//
// It holds, for random pipelines, that no record is missing in the sink of any
// lane, that none is there more often than the kills before its commit allow, that
// nothing is committed before it is delivered, the order within lanes, the windows
// and numbers of transfers, and the balance of every account. Each pipeline is made
// of its seed alone.
func TestCrash(t *testing.T) {
	runs := *crashRuns
	if runs <= 0 {
		runs = 10_000
		if crashRaced || testing.Short() {
			runs = 500
		}
	}
	const shards = 4
	var (
		next   atomic.Int64
		failed atomic.Bool
		mu     sync.Mutex
		total  crashStats
	)
	t.Run("shards", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				var sum crashStats
				for !failed.Load() {
					i := next.Add(1) - 1
					if i >= int64(runs) {
						break
					}
					stats, err := crashOne(t, *crashSeed+uint64(i))
					sum.add(stats)
					if err != nil {
						failed.Store(true)
						t.Errorf("%v\nrepeat it with: go test ./link -run 'TestCrash$' -crash.runs=1 -crash.trace -v -crash.seed=%d",
							err, *crashSeed+uint64(i))
					}
				}
				mu.Lock()
				defer mu.Unlock()
				total.add(sum)
			})
		}
	})
	t.Logf("seeds %d to %d: %v", *crashSeed, *crashSeed+uint64(runs)-1, total)
}

// crashOne runs the pipeline of one seed. A goroutine that a link has left behind
// for ever makes the bubble panic; that is a failure of this pipeline.
func crashOne(t *testing.T, seed uint64) (stats crashStats, err error) {
	t.Helper()
	w := newCrashWorld(seed)
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("seed %d: %v\n%v", seed, v, w)
		}
		if *crashTrace {
			t.Logf("seed %d:\n%s", seed, w.log.String())
		}
	}()
	synctest.Test(t, func(*testing.T) { w.run() })
	if w.failure != "" {
		return w.stats, fmt.Errorf("seed %d, step %d, term %d: %s\n%v", seed, w.failedAt, w.term, w.failure, w)
	}
	return w.stats, nil
}

// crashStats count what a crash test has seen.
type crashStats struct {
	pipelines, steps, transfers, kills, stops, abandoned int
	rows, pulls, deliveries, duplicates                  int
	commits, lost, letters, spooled                      int
}

func (s *crashStats) add(o crashStats) {
	s.pipelines += o.pipelines
	s.steps += o.steps
	s.transfers += o.transfers
	s.kills += o.kills
	s.stops += o.stops
	s.abandoned += o.abandoned
	s.rows += o.rows
	s.pulls += o.pulls
	s.deliveries += o.deliveries
	s.duplicates += o.duplicates
	s.commits += o.commits
	s.lost += o.lost
	s.letters += o.letters
	s.spooled += o.spooled
}

func (s crashStats) String() string {
	return fmt.Sprintf("%d pipelines, %d transfers, %d steps; %d kills, %d stops, %d of them gave up records; "+
		"%d rows, %d pulled, %d delivered, %d of them duplicates; %d dead letters, %d spooled; %d commits, %d answers of the store lost",
		s.pipelines, s.transfers, s.steps, s.kills, s.stops, s.abandoned,
		s.rows, s.pulls, s.deliveries, s.duplicates, s.letters, s.spooled, s.commits, s.lost)
}
