package planner_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
)

// What is due together is emitted in the order in which it was due, whatever the
// order of the schedules.
func TestTickerOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ticker := planner.NewTicker(nil)
		var dues []time.Time
		r := rand.New(rand.NewPCG(1, 2))
		const n = 1000
		for i := range n {
			at := time.Duration(r.IntN(1000)) * time.Millisecond
			s := atFunc(func(after time.Time) time.Time {
				if due := began.Add(at); due.After(after) {
					return due
				}
				return time.Time{}
			})
			require.NoError(t, ticker.Add(fmt.Sprint(i), s, began.Add(-1)))
		}
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, ticker.Start(func(tick planner.Tick) { dues = append(dues, tick.Due) }))
		time.Sleep(time.Second)
		synctest.Wait()
		ticker.Stop()
		require.Len(t, dues, n)
		assert.True(t, slices.IsSortedFunc(dues, time.Time.Compare))
	})
}

// Many that are due at the same instants are found late, in any order, and go on at every
// instant.
func TestTickerLateTogether(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			began := time.Now()
			ticker := planner.NewTicker(nil)
			every := make([]time.Duration, 50)
			for i := range every {
				every[i] = time.Duration(1+r.IntN(9)) * 100 * time.Millisecond
				require.NoError(t, ticker.Add(fmt.Sprint(i), schedule.Every(every[i]).(schedule.Binder).Bind("", began), began))
			}
			time.Sleep(950 * time.Millisecond)
			emits := make(map[string]int)
			require.NoError(t, ticker.Start(func(tick planner.Tick) { emits[tick.ID]++ }))
			time.Sleep(10 * time.Second)
			ticker.Stop()
			for i, d := range every {
				late := int(950*time.Millisecond/d) - 1
				require.Equal(t, int(10950*time.Millisecond/d)-late, emits[fmt.Sprint(i)], "every %v", d)
			}
		})
	}
}

// Schedules are added and removed at random, from inside emits too, while others are
// due; what is there is emitted exactly at its instants.
func TestTickerChurn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			began := time.Now()
			ticker := planner.NewTicker(nil)
			type live struct {
				every time.Duration
				last  time.Time
			}
			all := make(map[string]*live)
			var ids []string
			made := 0
			var mu sync.Mutex
			add := func() {
				id := fmt.Sprint(made)
				made++
				l := &live{every: time.Duration(1+r.IntN(20)) * 50 * time.Millisecond, last: time.Now()}
				all[id], ids = l, append(ids, id)
				s := schedule.Every(l.every).(schedule.Binder).Bind("", l.last)
				require.NoError(t, ticker.Add(id, s, l.last))
			}
			remove := func() {
				if len(ids) == 0 {
					return
				}
				i := r.IntN(len(ids))
				ticker.Remove(ids[i])
				delete(all, ids[i])
				ids = slices.Delete(ids, i, i+1)
			}
			for range 100 {
				add()
			}
			emits := 0
			emit := func(tick planner.Tick) {
				mu.Lock()
				defer mu.Unlock()
				emits++
				l := all[tick.ID]
				require.NotNil(t, l, "%s was removed", tick.ID)
				require.True(t, tick.Due.Equal(l.last.Add(l.every)), "%s: %v after %v, every %v", tick.ID, tick.Due.Sub(began), l.last.Sub(began), l.every)
				require.True(t, time.Now().Equal(tick.Due))
				l.last = tick.Due
				switch r.IntN(20) {
				case 0:
					add()
				case 1:
					remove()
				}
			}
			require.NoError(t, ticker.Start(emit))
			for range 20 {
				mu.Lock()
				pause := time.Duration(r.IntN(400))*time.Millisecond + time.Microsecond
				mu.Unlock()
				time.Sleep(pause)
				mu.Lock()
				add()
				remove()
				mu.Unlock()
			}
			ticker.Stop()
			assert.Greater(t, emits, 100)
		})
	}
}

// A schedule that ends the ticker's goroutine ends nothing but itself, and what was
// due with it is emitted.
func TestTickerGoexit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		every := schedule.Every(time.Second).(schedule.Binder).Bind("", began)
		exits := atFunc(func(after time.Time) time.Time {
			if after.Sub(began) >= 2*time.Second {
				runtime.Goexit()
			}
			return every.Next(after)
		})
		ticker := planner.NewTicker(nil)
		count := make(map[string]int)
		for _, id := range []string{"a", "b", "c"} {
			require.NoError(t, ticker.Add(id, every, began))
			require.NoError(t, ticker.Add("exits "+id, exits, began))
		}
		require.NoError(t, ticker.Start(func(tick planner.Tick) { count[tick.ID]++ })) // never concurrently
		time.Sleep(5*time.Second + half)
		ticker.Stop()
		assert.Equal(t, map[string]int{"a": 5, "b": 5, "c": 5, "exits a": 2, "exits b": 2, "exits c": 2}, count)
		require.ErrorContains(t, ticker.Add("late", every, began), "stopped")
	})
}

// An emit allocates nothing, however many are due at once.
func TestTickerAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, rounds = 1000, 20
		ticker := planner.NewTicker(nil)
		began := time.Now()
		every := schedule.Every(time.Second).(schedule.Binder).Bind("", began)
		for i := range n {
			require.NoError(t, ticker.Add(fmt.Sprint(i), every, began))
		}
		emits := 0
		require.NoError(t, ticker.Start(func(planner.Tick) { emits++ }))
		time.Sleep(time.Second + half) // the batch has its size now
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		time.Sleep(rounds * time.Second)
		runtime.ReadMemStats(&after)
		ticker.Stop()
		require.Equal(t, n*(rounds+1), emits)
		assert.Less(t, float64(after.Mallocs-before.Mallocs), 0.1*n*rounds)
	})
}

// A Stop at the moment at which instants are due.
func TestTickerStopRacesWithTicks(t *testing.T) {
	t.Parallel()
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			every := schedule.Every(time.Microsecond).(schedule.Binder).Bind("", began)
			var stopped bool
			ticker := planner.NewTicker(nil)
			require.NoError(t, ticker.Start(func(planner.Tick) { assert.False(t, stopped) }))
			for i := range 10 {
				require.NoError(t, ticker.Add(fmt.Sprint(i), every, began))
			}
			time.Sleep(3 * time.Microsecond)
			ticker.Stop()
			stopped = true // a race if an emit is running
			time.Sleep(time.Millisecond)
		})
	}
}

// An instant that is longer ago than a time.Duration lasts is due at once, as others are.
func TestAncientInstant(t *testing.T) {
	onBoth(t, func(b *bench) {
		ancient := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)
		s := atFunc(func(after time.Time) time.Time {
			if after.Before(ancient) {
				return ancient
			}
			return time.Time{}
		})
		var ticks []planner.Tick
		require.NoError(b, b.trigger.Start(func(tick planner.Tick) { ticks = append(ticks, tick) }))
		require.NoError(b, b.trigger.Add("later", b.instants(time.Hour), b.began))
		b.sleep(time.Second)
		require.NoError(b, b.trigger.Add("ancient", s, ancient.Add(-1)))
		b.sleep(time.Second)
		assert.Equal(b, []planner.Tick{{ID: "ancient", Due: ancient}}, ticks)
		b.trigger.Stop()
	})
}

// Instants with a monotonic reading stay where they are when the wall clock is set,
// others move.
func TestAxis(t *testing.T) {
	t.Parallel()
	base := time.Now()
	wall := base.Round(0)
	tests := []struct {
		name string
		skew time.Duration
		at   time.Time
		want time.Duration
	}{
		{"monotonic", 0, base.Add(time.Hour), time.Hour},
		{"monotonic, clock set forward", time.Minute, base.Add(time.Hour), time.Hour},
		{"wall", 0, wall.Add(time.Hour), time.Hour},
		{"wall, clock set forward", time.Minute, wall.Add(time.Hour), time.Hour - time.Minute},
		{"wall, clock set back", -time.Minute, wall.Add(time.Hour), time.Hour + time.Minute},
		{"wall, past", 0, wall.Add(-time.Hour), -time.Hour},
		{"never", time.Minute, wall.AddDate(1000, 0, 0), math.MaxInt64 - time.Minute},
		{"never, clock set back", -time.Minute, wall.AddDate(1000, 0, 0), math.MaxInt64},
		{"long ago, clock set forward", time.Minute, time.Time{}, math.MinInt64},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, planner.Place(base, test.skew, test.at), test.name)
	}
	assert.Zero(t, planner.Skew(base, base.Add(time.Hour)))
}

// BenchmarkTicker is a burst of 10,000 schedules that are due together.
func BenchmarkTicker(b *testing.B) {
	const n = 10_000
	ticker := planner.NewTicker(nil)
	began := time.Now()
	every := schedule.Every(time.Millisecond).(schedule.Binder).Bind("", began)
	for i := range n {
		require.NoError(b, ticker.Add(fmt.Sprint(i), every, began))
	}
	left := b.N
	done := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	require.NoError(b, ticker.Start(func(planner.Tick) {
		if left--; left == 0 {
			close(done)
		}
	}))
	<-done
	b.StopTimer()
	ticker.Stop()
}
