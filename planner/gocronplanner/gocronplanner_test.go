package gocronplanner_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/planner/gocronplanner"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

func TestTriggerConforms(t *testing.T) {
	testkit.TestTrigger(t, func(*testing.T) planner.Trigger { return gocronplanner.NewTrigger(quiet) })
}

// quiet keeps gocron from logging.
var quiet = gocron.WithLogger(gocron.NewLogger(gocron.LogLevelError))

func newLink(t *testing.T, name string) *link.Link {
	t.Helper()
	l, err := link.New(link.Config{
		Name:     name,
		Inlets:   []inlet.Inlet{inlet.Values(1)},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(time.Second),
	})
	require.NoError(t, err)
	return l
}

func TestNewMistakes(t *testing.T) {
	one := newLink(t, "one")
	tests := []struct {
		name  string
		opts  gocronplanner.Options
		links []*link.Link
		want  []string
	}{
		{"gocron option", gocronplanner.Options{Gocron: []gocron.SchedulerOption{gocron.WithLocation(nil)}}, nil, []string{"location"}},
		{"trigger", gocronplanner.Options{Planner: planner.Options{Trigger: planner.NewTicker(nil)}}, []*link.Link{one}, []string{"Options.Planner.Trigger is set"}},
		{"all at once", gocronplanner.Options{
			Planner: planner.Options{Trigger: planner.NewTicker(nil), Concurrency: -3},
			Gocron:  []gocron.SchedulerOption{gocron.WithStopTimeout(-1)},
		}, []*link.Link{nil}, []string{"Trigger is set", "Concurrency is -3", "gocron", "link 0 of 1 is nil"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := gocronplanner.New(&test.opts, test.links...)
			require.Error(t, err)
			assert.Nil(t, p)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			p, err = gocronplanner.New(nil, one)
			require.NoError(t, err, "the link is free")
			_, err = p.Shutdown(t.Context())
			require.NoError(t, err)
		})
	}
}

func TestTriggerMistakes(t *testing.T) {
	trigger := gocronplanner.NewTrigger(gocron.WithLocation(nil))
	require.Error(t, trigger.Start(func(planner.Tick) {}), "also where nobody asks for mistakes")
	trigger.Stop()
}

// gocron logs where the planner does.
func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mu sync.Mutex
		logger := slog.New(slog.NewTextHandler(&lockedWriter{&mu, &log}, nil))
		p, err := gocronplanner.New(&gocronplanner.Options{Planner: planner.Options{Logger: logger}}, newLink(t, "one"))
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context()))
		_, err = p.Shutdown(t.Context())
		require.NoError(t, err)
		mu.Lock()
		defer mu.Unlock()
		assert.Contains(t, log.String(), "gocron: scheduler started")
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// A gocron job that is made for an instant which passes meanwhile hangs gocron. With
// short intervals on a busy machine that happens all the time.
func TestInstantsThatPassMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trigger := gocronplanner.NewTrigger(quiet)
		var emits atomic.Int64
		require.NoError(t, trigger.Start(func(planner.Tick) { emits.Add(1) }))
		anchor := time.Now()
		for _, id := range []string{"a", "b", "c", "d"} {
			require.NoError(t, trigger.Add(id, schedule.Every(time.Microsecond).(schedule.Binder).Bind("", anchor), anchor))
		}
		time.Sleep(2 * time.Millisecond)
		trigger.Stop()
		assert.Greater(t, emits.Load(), int64(1000))
	})
}

// Jobs that have run leave nothing behind.
func TestNoLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trigger := gocronplanner.NewTrigger(quiet)
		require.NoError(t, trigger.Start(func(planner.Tick) {}))
		anchor := time.Now()
		require.NoError(t, trigger.Add("a", schedule.Every(time.Second).(schedule.Binder).Bind("", anchor), anchor))
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		before := runtime.NumGoroutine()
		var low, high runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&low)
		time.Sleep(2000 * time.Second)
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&high)
		assert.LessOrEqual(t, runtime.NumGoroutine(), before)
		assert.Less(t, int64(high.HeapAlloc)-int64(low.HeapAlloc), int64(200<<10))
		trigger.Stop()
	})
}

// A schedule that is stuck does not keep gocron from being stopped cleanly, nor does
// one that ends its goroutine.
func TestScheduleThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		trigger := gocronplanner.NewTrigger(quiet)
		var emits atomic.Int64
		require.NoError(t, trigger.Start(func(planner.Tick) { emits.Add(1) }))
		require.NoError(t, trigger.Add("exits", next(func(after time.Time) time.Time {
			if after.After(began) {
				runtime.Goexit()
			}
			return began.Add(time.Second)
		}), began))
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, emits.Load(), "the instant is emitted all the same")
		trigger.Stop()
		assert.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, context.Cause(t.Context()))
	})
}

type next func(time.Time) time.Time

func (n next) Next(after time.Time) time.Time { return n(after) }
