package planner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

const half = 500 * time.Millisecond

func TestIntervals(t *testing.T) {
	onBoth(t, func(b *bench) {
		fast, fastIn := b.probe("fast", time.Second, nil)
		slow, slowIn := b.probe("slow", 3*time.Second, nil)
		p := b.running(planner.Options{}, fast, slow)
		b.sleep(7 * time.Second)

		assert.Equal(b, []time.Duration{0}, fastIn.dues(record.Immediate))
		assert.Equal(b, grid(time.Second, 7*time.Second, time.Second), fastIn.dues(record.Scheduled), "the first one after one interval")
		assert.Equal(b, grid(3*time.Second, 7*time.Second, 3*time.Second), slowIn.dues(record.Scheduled))
		for _, one := range append(fastIn.all(), slowIn.all()...) {
			assert.Equal(b, one.due, one.at, "pulled at the instant")
		}
		assert.Equal(b, planner.Ledger{Instants: 7, Ran: 7, Immediate: 1}, b.ledger(p, fast))
		assert.Equal(b, "instants 2 ran 2 immediate 1", b.ledger(p, slow).String())
		b.shut(p)
		b.sleep(time.Minute)
		assert.Len(b, fastIn.all(), 8, "nothing after Shutdown")
		assert.Equal(b, planner.Ledger{Instants: 7, Ran: 7, Immediate: 1}, b.ledger(p, fast), "the ledger outlives the planner")
	})
}

func TestWeekWithoutDrift(t *testing.T) {
	onBoth(t, func(b *bench) {
		const week = 7 * 24 * time.Hour
		l, in := b.probe("week", time.Minute, takes(17*time.Millisecond))
		p := b.running(planner.Options{SkipImmediate: true}, l)
		b.sleep(week + time.Second)
		require.Equal(b, grid(time.Minute, week, time.Minute), in.dues(record.Scheduled))
		assert.Equal(b, planner.Ledger{Instants: 7 * 24 * 60, Ran: 7 * 24 * 60}, b.ledger(p, l))
		for _, one := range in.all() {
			require.Equal(b, one.due, one.at)
		}
	})
}

func TestSkipImmediate(t *testing.T) {
	onBoth(t, func(b *bench) {
		with, withIn := b.probe("with", time.Hour, nil)
		without, withoutIn := b.probe("without", time.Hour, nil, skipImmediate)
		b.running(planner.Options{}, with, without)
		b.sleep(time.Minute)
		assert.Len(b, withIn.all(), 1)
		assert.Empty(b, withoutIn.all())
	})
}

// A transfer that takes longer than the interval makes the instants in between
// skipped, and a flush is no overlap.
func TestOverlap(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Second, takes(2500*time.Millisecond), skipImmediate)
		p := b.running(planner.Options{}, l)
		b.sleep(9*time.Second + half)
		assert.Equal(b, grid(time.Second, 9*time.Second, 3*time.Second), in.dues(record.Scheduled))
		assert.Equal(b, 1, in.overlap())
		assert.Equal(b, planner.Ledger{Instants: 9, Ran: 3, Skipped: 6}, b.ledger(p, l))
		b.shut(p)
	})
}

// slowOnce is a schedule that takes its time once, which makes its trigger late.
func (b *bench) slowOnce(s schedule.Schedule, at, delay time.Duration) schedule.Schedule {
	var once sync.Once
	return atFunc(func(after time.Time) time.Time {
		if after.Sub(b.began) >= at {
			once.Do(func() { time.Sleep(delay) })
		}
		return s.Next(after)
	})
}

func TestLate(t *testing.T) {
	onBoth(t, func(b *bench) {
		every := schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
		l, in := b.probe("late", time.Second, nil, skipImmediate, scheduled(b.slowOnce(every, 2*time.Second, 3*time.Second+half)))
		p := b.running(planner.Options{}, l)
		b.sleep(7*time.Second + half)
		// What is due at 2 s is known at 5.5 s.
		assert.Equal(b, []pull{
			{time.Second, time.Second, record.Scheduled},
			{5*time.Second + half, 5 * time.Second, record.Scheduled},
			{6 * time.Second, 6 * time.Second, record.Scheduled},
			{7 * time.Second, 7 * time.Second, record.Scheduled},
		}, in.all(), "one transfer, for the last instant that has passed")
		assert.Equal(b, planner.Ledger{Instants: 7, Ran: 4, Missed: 3}, b.ledger(p, l))
	})
}

// counted is a schedule that counts its instants without visiting them.
type counted struct {
	schedule.Schedule
	count func(from, to time.Time) int
}

func (c counted) Count(from, to time.Time) int { return c.count(from, to) }

func TestLateByTrigger(t *testing.T) {
	t.Parallel()
	every := func(b *bench) schedule.Schedule {
		return schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
	}
	tests := []struct {
		name     string
		schedule func(b *bench) schedule.Schedule
		now      time.Duration
		due      time.Duration
		wantDue  time.Duration
		want     planner.Ledger
	}{
		{
			name: "in time", schedule: every, now: time.Second, due: time.Second,
			wantDue: time.Second, want: planner.Ledger{Instants: 1, Ran: 1},
		},
		{
			name: "late by a month, counted", schedule: every, now: 30*24*time.Hour + half, due: time.Second,
			wantDue: 30 * 24 * time.Hour, want: planner.Ledger{Instants: 30 * 86400, Ran: 1, Missed: 30*86400 - 1},
		},
		{
			name:     "late by a month, uncounted",
			schedule: func(b *bench) schedule.Schedule { return atFunc(every(b).Next) },
			now:      30*24*time.Hour + half, due: time.Second,
			wantDue: 30 * 24 * time.Hour, want: planner.Ledger{Instants: 1000, Ran: 1, Missed: 999, AtLeast: true},
		},
		{
			name:     "late by a little, uncounted",
			schedule: func(b *bench) schedule.Schedule { return atFunc(every(b).Next) },
			now:      9*time.Second + half, due: time.Second,
			wantDue: 9 * time.Second, want: planner.Ledger{Instants: 9, Ran: 1, Missed: 8},
		},
		{
			name: "single instants, the last one long ago",
			schedule: func(b *bench) schedule.Schedule {
				return b.instants(time.Second, 2*time.Second, 2*time.Second+1, time.Minute, 24*time.Hour)
			},
			now: time.Hour, due: time.Second,
			wantDue: time.Minute, want: planner.Ledger{Instants: 4, Ran: 1, Missed: 3},
		},
		{
			name: "the end of the schedule has passed",
			schedule: func(b *bench) schedule.Schedule {
				return b.instants(time.Second, time.Minute)
			},
			now: time.Hour, due: time.Second,
			wantDue: time.Minute, want: planner.Ledger{Instants: 2, Ran: 1, Missed: 1},
		},
		{
			name: "the trigger left instants out", schedule: every, now: 5 * time.Second, due: 5 * time.Second,
			wantDue: 5 * time.Second, want: planner.Ledger{Instants: 5, Ran: 1, Missed: 4},
		},
		{
			name: "a count that cannot be right",
			schedule: func(b *bench) schedule.Schedule {
				return counted{every(b), func(_, _ time.Time) int { return -7 }}
			},
			now: 5 * time.Second, due: time.Second,
			wantDue: 5 * time.Second, want: planner.Ledger{Instants: 2, Ran: 1, Missed: 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := new(manual)
			inBubble(t, func() planner.Trigger { return m }, func(b *bench) {
				l, in := b.probe("late", time.Second, nil, skipImmediate, scheduled(test.schedule(b)))
				p := b.running(planner.Options{}, l)
				b.sleep(test.now)
				m.emit(planner.Tick{ID: "late", Due: b.began.Add(test.due)})
				b.sleep(0)
				assert.Equal(b, []time.Duration{test.wantDue}, in.dues(record.Scheduled))
				assert.Equal(b, test.want, b.ledger(p, l))

				m.emit(planner.Tick{ID: "late", Due: b.began.Add(test.due)})
				m.emit(planner.Tick{ID: "unknown", Due: time.Now()})
				b.sleep(0)
				assert.Len(b, in.all(), 1, "an instant that is accounted for is nothing new")
				assert.Equal(b, test.want, b.ledger(p, l))
			})
		})
	}
}

// An instant that waits for a place is replaced by the next one.
func TestMissedInTheQueue(t *testing.T) {
	onBoth(t, func(b *bench) {
		hog, _ := b.probe("hog", time.Hour, takes(3*time.Second+half))
		l, in := b.probe("waits", time.Second, nil, skipImmediate)
		p := b.running(planner.Options{Concurrency: 1}, hog, l)
		b.sleep(3 * time.Second)
		assert.Equal(b, planner.Ledger{Instants: 3, Missed: 2, Open: 1}, b.ledger(p, l))
		b.sleep(2 * time.Second)
		assert.Equal(b, []pull{
			{3*time.Second + half, 3 * time.Second, record.Scheduled},
			{4 * time.Second, 4 * time.Second, record.Scheduled},
			{5 * time.Second, 5 * time.Second, record.Scheduled},
		}, in.all())
		assert.Equal(b, planner.Ledger{Instants: 5, Ran: 3, Missed: 2}, b.ledger(p, l))
	})
}

// A transfer goes ahead when a lane is idle, and is skipped when none is.
func TestOverlapIsAboutHandingOver(t *testing.T) {
	onBoth(t, func(b *bench) {
		var quick, slow testSink
		slow.do = b.hangs()
		l, in := b.probe("lanes", time.Second, nil, skipImmediate, func(c *link.Config) {
			c.Outlets = nil
			c.Lanes = []link.Lane{{Outlet: &quick}, {Outlet: &slow}}
			c.ShutdownTimeout = time.Second
		})
		p := b.running(planner.Options{}, l)
		b.sleep(5 * time.Second)
		assert.Len(b, in.all(), 5, "one hung outlet does not hold up the other")
		assert.Equal(b, 5, quick.records())
		assert.Equal(b, 1, slow.records())
		ledger := b.ledger(p, l)
		assert.Equal(b, int64(0), ledger.Skipped)
		assert.Equal(b, int64(5), ledger.Instants)
		_, err := p.Shutdown(context.Background())
		assert.ErrorContains(b, err, "abandoned")
	})
}

// Where no lane is idle, instants are skipped and what is forced waits.
func TestNoLaneIsIdle(t *testing.T) {
	onBoth(t, func(b *bench) {
		release := make(chan struct{})
		quick, slow := new(testSink), &testSink{do: func() func(context.Context) error {
			hangs := testkit.Flaky(1, testkit.Hang(release))
			return func(ctx context.Context) error { return hangs(ctx, 0) }
		}()}
		l, in := b.probe("lanes", time.Second, nil, skipImmediate, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{quick, slow}
		})
		p := b.running(planner.Options{}, l)
		b.sleep(2*time.Second + half)
		require.NoError(b, l.RemoveOutlets(b.Context(), quick), "which leaves the one that is busy")
		b.sleep(3 * time.Second)
		assert.Len(b, in.all(), 2)
		forced := make(chan error)
		go func() {
			_, err := p.Force(b.Context(), l)
			forced <- err
		}()
		b.sleep(3 * time.Second)
		assert.Len(b, in.all(), 2)
		ledger := b.ledger(p, l)
		assert.EqualValues(b, 8, ledger.Instants)
		assert.EqualValues(b, 6, ledger.Skipped)
		close(release)
		require.NoError(b, <-forced)
		assert.Equal(b, 8*time.Second+half, time.Since(b.began), "as soon as the lane is idle")
		b.sleep(time.Second)
		assert.Len(b, in.all(), 4)
		assert.Equal(b, 4, slow.records())
		b.shut(p)
	})
}

// testSink is an outlet that counts, and may do something in its pushes.
type testSink struct {
	do func(context.Context) error

	mu    sync.Mutex
	count int
}

func (*testSink) ReadOnly() bool { return true }

func (s *testSink) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	s.mu.Lock()
	s.count += len(records)
	s.mu.Unlock()
	if s.do != nil {
		return s.do(ctx)
	}
	return nil
}

func (s *testSink) records() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
