package planner_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

func misfire(m link.Misfire) func(*link.Config) {
	return func(c *link.Config) { c.Misfire, c.SkipImmediate = m, true }
}

// late returns a link of a second whose trigger knows at 5.5 s what is due at 2 s.
func (b *bench) late(do func(context.Context) error, changes ...func(*link.Config)) (*link.Link, *probe) {
	every := schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
	changes = append(changes, scheduled(b.slowOnce(every, 2*time.Second, 3*time.Second+half)))
	return b.probe("late", time.Second, do, changes...)
}

func seconds(all []time.Duration) (s []float64) {
	for _, d := range all {
		s = append(s, d.Seconds())
	}
	return s
}

// What becomes of instants that have passed before the planner woke.
func TestMisfire(t *testing.T) {
	tests := []struct {
		name    string
		misfire link.Misfire
		overlap link.Overlap
		took    time.Duration
		dues    []float64
		want    planner.Ledger // after 8.5 s
	}{
		{"once", link.Misfire{}, link.Skip, 0,
			[]float64{1, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 5, Missed: 3}},
		{"once, in time", link.Misfire{Grace: half}, link.Skip, 0,
			[]float64{1, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 5, Missed: 3}},
		{"once, too late", link.Misfire{Grace: half - 1}, link.Skip, 0,
			[]float64{1, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 4, Missed: 4}},
		{"skip, hardly late", link.Misfire{Policy: link.SkipLate}, link.Skip, 0,
			[]float64{1, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 5, Missed: 3}},
		{"skip, late", link.Misfire{Policy: link.SkipLate, Grace: tenth}, link.Skip, 0,
			[]float64{1, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 4, Missed: 4}},
		{"all", link.Misfire{Policy: link.RunAll}, link.Skip, 0,
			[]float64{1, 2, 3, 4, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 8}},
		{"two", link.Misfire{Policy: link.RunAll, Max: 2}, link.Skip, 0,
			[]float64{1, 4, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 6, Missed: 2}},
		{"one", link.Misfire{Policy: link.RunAll, Max: 1}, link.Skip, 0,
			[]float64{1, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 5, Missed: 3}},
		{"as many as there are", link.Misfire{Policy: link.RunAll, Max: 4}, link.Skip, 0,
			[]float64{1, 2, 3, 4, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 8}},
		{"all in time", link.Misfire{Policy: link.RunAll, Grace: 2 * time.Second}, link.Skip, 0,
			[]float64{1, 4, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 6, Missed: 2}},
		// 2 at 5.5, 3 at 5.9, 4 at 6.3, 5 at 6.7, 6 at 7.1, 7 at 7.5: what comes meanwhile waits its turn.
		{"all, one after another", link.Misfire{Policy: link.RunAll}, link.Skip, 4 * tenth,
			[]float64{1, 2, 3, 4, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 8}},
		{"all, queued", link.Misfire{Policy: link.RunAll}, link.Queue, 4 * tenth,
			[]float64{1, 2, 3, 4, 5, 6, 7, 8}, planner.Ledger{Instants: 8, Ran: 8}},
		{"three, slow", link.Misfire{Policy: link.RunAll, Max: 3}, link.Skip, 7 * tenth,
			[]float64{1, 3, 4, 5, 6, 7}, planner.Ledger{Instants: 8, Ran: 5, Missed: 1, Open: 2}},
		// 3 at 5.5, 5 at 7.1: 4 has given way to 7.
		{"three, very slow", link.Misfire{Policy: link.RunAll, Max: 3}, link.Skip, 16 * tenth,
			[]float64{1, 3, 5}, planner.Ledger{Instants: 8, Ran: 2, Missed: 1, Skipped: 1, Open: 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				l, in := b.late(func(ctx context.Context) error {
					if test.took == 0 {
						return nil
					}
					return takes(test.took)(ctx)
				}, misfire(test.misfire), func(c *link.Config) { c.Overlap = test.overlap })
				p := b.running(planner.Options{}, l)
				b.sleep(8*time.Second + half)
				ledger := b.ledger(p, l)
				assert.Equal(b, test.dues, seconds(in.dues(record.Scheduled)), "%v", ledger)
				assert.Equal(b, test.want, ledger)
				assert.Equal(b, 1, in.overlap())
			})
		})
	}
}

// What becomes of instants for which there is no place.
func TestMisfireInTheQueue(t *testing.T) {
	tests := []struct {
		name    string
		misfire link.Misfire
		at      []float64 // when those are run that are due up to 5 s
		dues    []float64
		want    planner.Ledger
	}{
		{"once", link.Misfire{}, []float64{3.8, 4, 5}, []float64{3, 4, 5}, planner.Ledger{Instants: 5, Ran: 3, Missed: 2}},
		{"once, too late", link.Misfire{Grace: half}, []float64{4, 5}, []float64{4, 5}, planner.Ledger{Instants: 5, Ran: 2, Missed: 3}},
		{"skip", link.Misfire{Policy: link.SkipLate, Grace: half}, []float64{4, 5}, []float64{4, 5}, planner.Ledger{Instants: 5, Ran: 2, Missed: 3}},
		{"all", link.Misfire{Policy: link.RunAll}, []float64{3.8, 3.8, 3.8, 4, 5}, []float64{1, 2, 3, 4, 5}, planner.Ledger{Instants: 5, Ran: 5}},
		{"two", link.Misfire{Policy: link.RunAll, Max: 2}, []float64{3.8, 3.8, 4, 5}, []float64{2, 3, 4, 5}, planner.Ledger{Instants: 5, Ran: 4, Missed: 1}},
		{"all in time", link.Misfire{Policy: link.RunAll, Grace: time.Second}, []float64{3.8, 4, 5}, []float64{3, 4, 5}, planner.Ledger{Instants: 5, Ran: 3, Missed: 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				hog, _ := b.probe("hog", time.Hour, takes(38*tenth))
				l, in := b.probe("waits", time.Second, nil, misfire(test.misfire))
				p := b.running(planner.Options{Concurrency: 1}, hog, l)
				b.sleep(5 * time.Second)
				var at []float64
				for _, one := range in.all() {
					at = append(at, one.at.Seconds())
				}
				assert.Equal(b, test.at, at)
				assert.Equal(b, test.dues, seconds(in.dues(record.Scheduled)))
				assert.Equal(b, test.want, b.ledger(p, l))
			})
		})
	}
}

// Whatever the schedule, the last of those that have passed are run.
func TestRunAllAfterALongTime(t *testing.T) {
	t.Parallel()
	every := func(b *bench) schedule.Schedule {
		return schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
	}
	const month = 30 * 24 * time.Hour
	tests := []struct {
		name     string
		schedule func(b *bench) schedule.Schedule
		max      int
		now      time.Duration
		dues     []time.Duration
		want     planner.Ledger
	}{
		{
			"counted", every, 100, month + half,
			grid(month-99*time.Second, month, time.Second), planner.Ledger{Instants: 30 * 86400, Ran: 100, Missed: 30*86400 - 100},
		},
		{
			"uncounted", func(b *bench) schedule.Schedule { return atFunc(every(b).Next) }, 1000, month + half,
			grid(month-999*time.Second, month, time.Second), planner.Ledger{Instants: 1000, Ran: 1000, AtLeast: true},
		},
		{
			"irregular", func(b *bench) schedule.Schedule {
				return b.instants(time.Second, 2*time.Second, 2*time.Second+1, 2*time.Second+2, time.Minute, time.Minute+1, month)
			}, 4, month - 1,
			[]time.Duration{2*time.Second + 1, 2*time.Second + 2, time.Minute, time.Minute + 1},
			planner.Ledger{Instants: 6, Ran: 4, Missed: 2},
		},
		{
			"the end of the schedule has passed", func(b *bench) schedule.Schedule {
				return b.instants(time.Second, 2*time.Second, time.Minute)
			}, 10, month,
			[]time.Duration{time.Second, 2 * time.Second, time.Minute}, planner.Ledger{Instants: 3, Ran: 3},
		},
		{
			"a count that is too low", func(b *bench) schedule.Schedule {
				return counted{every(b), func(_, _ time.Time) int { return 1 }}
			}, 10, 5 * time.Second,
			grid(time.Second, 5*time.Second, time.Second), planner.Ledger{Instants: 5, Ran: 5},
		},
		{
			"on time", every, 10, time.Second, []time.Duration{time.Second}, planner.Ledger{Instants: 1, Ran: 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := new(manual)
			inBubble(t, func() planner.Trigger { return m }, func(b *bench) {
				l, in := b.probe("late", time.Second, nil, scheduled(test.schedule(b)), misfire(link.Misfire{Policy: link.RunAll, Max: test.max}))
				p := b.running(planner.Options{}, l)
				b.sleep(test.now)
				m.emit(planner.Tick{ID: "late", Due: b.began.Add(time.Second)})
				b.sleep(0)
				assert.Equal(b, test.dues, in.dues(record.Scheduled))
				assert.Equal(b, test.want, b.ledger(p, l))
			})
		})
	}
}

// A schedule that fails while instants are looked for ends, and what it has said counts.
func TestRunAllWithAFaultySchedule(t *testing.T) {
	t.Parallel()
	m := new(manual)
	inBubble(t, func() planner.Trigger { return m }, func(b *bench) {
		every := schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
		asked := 0
		l, in := b.probe("late", time.Second, nil, misfire(link.Misfire{Policy: link.RunAll}), scheduled(atFunc(func(after time.Time) time.Time {
			if asked++; asked > 80 {
				panic("boom")
			}
			return every.Next(after)
		})))
		p := b.running(planner.Options{OnError: func(context.Context, *link.Error) error { return nil }}, l)
		b.sleep(time.Minute)
		m.emit(planner.Tick{ID: "late", Due: b.began.Add(time.Second)})
		b.sleep(0)
		dues := in.dues(record.Scheduled)
		require.NotEmpty(b, dues)
		assert.True(b, slices.IsSorted(dues))
		assert.Equal(b, time.Minute, dues[len(dues)-1])
		ledger := b.ledger(p, l)
		assert.EqualValues(b, 60, ledger.Instants)
		assert.EqualValues(b, len(dues), ledger.Ran)
	})
}

// What is wanted of a link that makes up for instants.
func TestMakingUp(t *testing.T) {
	tests := []struct {
		name string
		do   func(b *bench, p *planner.Planner, l *link.Link)
		want planner.Ledger
		dues []float64
	}{
		{"nothing", func(*bench, *planner.Planner, *link.Link) {}, planner.Ledger{Instants: 7, Ran: 7}, []float64{1, 2, 3, 4, 5, 6, 7}},
		{"stop", func(b *bench, p *planner.Planner, _ *link.Link) { b.shut(p) },
			planner.Ledger{Instants: 5, Ran: 2, Interrupted: 3}, []float64{1, 2}},
		{"pause", func(b *bench, p *planner.Planner, l *link.Link) {
			require.NoError(b, p.Pause(l))
			require.NoError(b, p.Resume(l))
		}, planner.Ledger{Instants: 7, Ran: 4, Paused: 3}, []float64{1, 2, 6, 7}},
		{"force", func(b *bench, p *planner.Planner, l *link.Link) {
			_, err := p.Force(b.Context(), l)
			require.NoError(b, err)
			assert.Equal(b, 79*tenth+tenth/2, time.Since(b.began))
		}, planner.Ledger{Instants: 7, Ran: 7, Forced: 1}, []float64{1, 2, 3, 4, 5, 6, 7}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				// 2 to 7 begin at 5.5, 5.85, 6.2, 6.55, 6.9 and 7.25.
				l, in := b.late(takes(3*tenth+tenth/2), misfire(link.Misfire{Policy: link.RunAll}))
				p := b.running(planner.Options{}, l)
				b.sleep(56 * tenth)
				require.Equal(b, planner.Ledger{Instants: 5, Ran: 1, Open: 4}, b.ledger(p, l))
				test.do(b, p, l)
				b.sleep(time.Until(b.began.Add(80*tenth - 1)))
				assert.Equal(b, test.want, b.ledger(p, l))
				assert.Equal(b, test.dues, seconds(in.dues(record.Scheduled)))
				assert.Equal(b, 1, in.overlap())
			})
		})
	}
}

// A forced transfer has its turn though there is always something to make up for.
func TestForceWhereAllIsMadeUp(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Second, takes(3*time.Second), skipImmediate, overlap(link.Queue),
			misfire(link.Misfire{Policy: link.RunAll, Max: 4}))
		p := b.running(planner.Options{}, l)
		b.sleep(20*time.Second + half)
		ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
		defer cancel()
		_, err := p.Force(ctx, l)
		require.NoError(b, err)
		assert.Equal(b, 37*time.Second, time.Since(b.began), "after the one that was running and four that waited")
		b.sleep(20 * time.Second)
		assert.Equal(b, []time.Duration{34 * time.Second}, in.dues(record.Forced))
		ledger := b.ledger(p, l)
		assert.Positive(b, ledger.Coalesced, "what it has covered")
		assert.EqualValues(b, 57, ledger.Instants)
		assert.Equal(b, 1, in.overlap())
		b.shut(p)
	})
}

// What is made up for waits for a lane, where an instant on time would be skipped.
func TestMakingUpWaitsForALane(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.late(nil, misfire(link.Misfire{Policy: link.RunAll}), func(c *link.Config) {
			c.Lanes, c.Outlets = []link.Lane{{Outlet: &testSink{do: takes(4 * tenth)}, Optional: true}}, nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(9*time.Second + half)
		assert.Equal(b, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, seconds(in.dues(record.Scheduled)))
		assert.Equal(b, planner.Ledger{Instants: 9, Ran: 9}, b.ledger(p, l))
	})
}

// Once it has made up for everything, an instant that comes during a transfer is an
// overlap again.
func TestOverlapAfterMakingUp(t *testing.T) {
	onBoth(t, func(b *bench) {
		n := 0
		l, in := b.late(func(ctx context.Context) error {
			if n++; n < 8 {
				return nil
			}
			return takes(15 * tenth)(ctx)
		}, misfire(link.Misfire{Policy: link.RunAll}))
		p := b.running(planner.Options{}, l)
		b.sleep(11 * time.Second)
		assert.Equal(b, []float64{1, 2, 3, 4, 5, 6, 7, 8, 10}, seconds(in.dues(record.Scheduled)))
		assert.Equal(b, planner.Ledger{Instants: 11, Ran: 8, Skipped: 2, Open: 1}, b.ledger(p, l))
	})
}

// A week of a planner that is late every hour.
func TestMisfireForAWeek(t *testing.T) {
	for name, m := range map[string]link.Misfire{"once": {}, "skip": {Policy: link.SkipLate}, "all": {Policy: link.RunAll, Max: 10}} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				const hours = 7 * 24
				every := schedule.Every(time.Minute).(schedule.Binder).Bind("", b.began)
				last := time.Duration(0)
				s := atFunc(func(after time.Time) time.Time {
					if hour := after.Sub(b.began).Truncate(time.Hour); hour > last {
						last = hour
						time.Sleep(20*time.Minute + 7*time.Second) // 21 instants have passed
					}
					return every.Next(after)
				})
				l, in := b.probe("late", time.Minute, takes(time.Second), scheduled(s), misfire(m))
				p := b.running(planner.Options{}, l)
				b.sleep(hours*time.Hour + 40*time.Minute + half)
				ledger := b.ledger(p, l)
				missed := map[string]int64{"once": 20, "skip": 21, "all": 11}[name] * hours
				assert.Equal(b, planner.Ledger{Instants: hours*60 + 40, Ran: hours*60 + 40 - missed - 1, Missed: missed, Open: 1}, ledger)
				dues := in.dues(record.Scheduled)
				assert.True(b, slices.IsSorted(dues))
				assert.Len(b, slices.Compact(dues), int(ledger.Ran+1))
				assert.Equal(b, 1, in.overlap())
			})
		})
	}
}
