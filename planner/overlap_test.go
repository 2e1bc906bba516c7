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
)

const tenth = 100 * time.Millisecond

func overlap(o link.Overlap) func(*link.Config) {
	return func(c *link.Config) { c.Overlap, c.SkipImmediate = o, true }
}

// first returns what an inlet does that does f in its first n calls.
func first(n int, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if n--; n >= 0 {
			return f(ctx)
		}
		return nil
	}
}

// The last instant that comes during a transfer is run when it is handed over.
func TestQueue(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Second, takes(2600*time.Millisecond), overlap(link.Queue))
		p := b.running(planner.Options{}, l)
		b.sleep(9*time.Second + half)
		assert.Equal(b, []pull{
			{time.Second, time.Second, record.Scheduled},
			{36 * tenth, 3 * time.Second, record.Scheduled},
			{62 * tenth, 6 * time.Second, record.Scheduled},
			{88 * tenth, 8 * time.Second, record.Scheduled},
		}, in.all())
		assert.Equal(b, planner.Ledger{Instants: 9, Ran: 3, Skipped: 4, Open: 2}, b.ledger(p, l))
		b.shut(p)
		assert.Equal(b, planner.Ledger{Instants: 9, Ran: 4, Skipped: 4, Interrupted: 1}, b.ledger(p, l))
		assert.Equal(b, 1, in.overlap())
	})
}

// A week in which every transfer takes longer than the interval, and none ends with one.
func TestQueueForAWeek(t *testing.T) {
	onBoth(t, func(b *bench) {
		const week, took = 7 * 24 * 60, 90*time.Second + 7*time.Millisecond
		l, in := b.probe("slow", time.Minute, takes(took), overlap(link.Queue))
		p := b.running(planner.Options{}, l)
		b.sleep(week*time.Minute + time.Second)
		dues := in.dues(record.Scheduled)
		for i, one := range in.all() { // they begin back to back, from the first minute on
			require.Equal(b, time.Minute+time.Duration(i)*took, one.at)
			require.Equal(b, max(one.at.Truncate(time.Minute), time.Minute), one.due, "for the last instant that has passed")
		}
		require.True(b, slices.IsSorted(dues))
		ledger := b.ledger(p, l)
		assert.EqualValues(b, week, ledger.Instants)
		assert.EqualValues(b, (week-1)*time.Minute/took, ledger.Ran)
		assert.Equal(b, ledger.Instants, ledger.Ran+ledger.Skipped+ledger.Open)
		assert.Equal(b, 1, in.overlap())
	})
}

// What is wanted of a link whose instant is queued.
func TestQueued(t *testing.T) {
	tests := []struct {
		name string
		do   func(b *bench, p *planner.Planner, l *link.Link)
		want planner.Ledger
		dues []time.Duration
	}{
		{"nothing", func(*bench, *planner.Planner, *link.Link) {},
			planner.Ledger{Instants: 4, Ran: 3, Skipped: 1}, []time.Duration{1, 3, 4}},
		{"stop", func(b *bench, p *planner.Planner, _ *link.Link) { b.shut(p) },
			planner.Ledger{Instants: 3, Ran: 1, Skipped: 1, Interrupted: 1}, []time.Duration{1}},
		{"pause", func(b *bench, p *planner.Planner, l *link.Link) {
			require.NoError(b, p.Pause(l))
			require.NoError(b, p.Resume(l))
		}, planner.Ledger{Instants: 4, Ran: 2, Skipped: 1, Paused: 1}, []time.Duration{1, 4}},
		{"pause of all", func(b *bench, p *planner.Planner, _ *link.Link) {
			require.NoError(b, p.Pause())
			b.sleep(time.Second)
			require.NoError(b, p.Resume())
		}, planner.Ledger{Instants: 4, Ran: 1, Skipped: 1, Paused: 2}, []time.Duration{1}},
		{"force", func(b *bench, p *planner.Planner, l *link.Link) {
			_, err := p.Force(b.Context(), l)
			require.NoError(b, err)
			assert.Equal(b, 36*tenth, time.Since(b.began), "once the running and the queued one are done")
		}, planner.Ledger{Instants: 4, Ran: 3, Skipped: 1, Forced: 1}, []time.Duration{1, 3, 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				l, in := b.probe("slow", time.Second, first(1, takes(26*tenth)), overlap(link.Queue))
				p := b.running(planner.Options{}, l)
				b.sleep(32 * tenth)
				require.Equal(b, planner.Ledger{Instants: 3, Skipped: 1, Open: 2}, b.ledger(p, l))
				test.do(b, p, l)
				b.sleep(time.Until(b.began.Add(45 * tenth)))
				assert.Equal(b, test.want, b.ledger(p, l))
				var dues []time.Duration
				for _, due := range in.dues(record.Scheduled) {
					dues = append(dues, due/time.Second)
				}
				assert.Equal(b, test.dues, dues)
			})
		})
	}
}

// A link that is removed with a queued instant leaves nothing behind.
func TestRemoveQueued(t *testing.T) {
	for name, remove := range map[string]func(context.Context, *planner.Planner, *link.Link) error{
		"remove": func(ctx context.Context, p *planner.Planner, l *link.Link) error { return p.Remove(ctx, l) },
		"purge":  func(ctx context.Context, p *planner.Planner, _ *link.Link) error { return p.Purge(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				l, in := b.probe("slow", time.Second, takes(26*tenth), overlap(link.Queue))
				p := b.running(planner.Options{}, l)
				b.sleep(32 * tenth)
				require.NoError(b, remove(b.Context(), p, l))
				assert.Equal(b, 36*tenth, time.Since(b.began))
				b.sleep(time.Minute)
				assert.Len(b, in.all(), 1)
				require.NoError(b, p.Add(b.Context(), l), "it may come again")
				b.sleep(time.Second + half)
				assert.Len(b, in.all(), 2)
				assert.Equal(b, planner.Ledger{Instants: 1, Open: 1}, b.ledger(p, l))
			})
		})
	}
}

// A transfer that hangs keeps one instant waiting, and one that panics none.
func TestQueueBehindFaults(t *testing.T) {
	onBoth(t, func(b *bench) {
		hung, in := b.probe("hung", time.Second, b.hangs(), overlap(link.Queue), func(c *link.Config) { c.ShutdownTimeout = time.Second })
		panics, _ := b.probe("panics", time.Second, func(ctx context.Context) error {
			_ = takes(15 * tenth)(ctx)
			panic("boom")
		}, overlap(link.Queue))
		p := b.running(planner.Options{OnError: func(context.Context, *link.Error) error { return nil }}, hung, panics)
		b.sleep(8*time.Second + tenth)
		assert.Equal(b, planner.Ledger{Instants: 8, Skipped: 6, Open: 2}, b.ledger(p, hung))
		assert.Equal(b, planner.Ledger{Instants: 8, Failed: 4, Skipped: 2, Open: 2}, b.ledger(p, panics))
		_, _ = p.Shutdown(b.Context())
		assert.Equal(b, planner.Ledger{Instants: 8, Skipped: 6, Interrupted: 2}, b.ledger(p, hung))
		assert.Len(b, in.all(), 1)
	})
}

// The instant waits for a lane that is idle, where no transfer is running.
func TestQueueForALane(t *testing.T) {
	onBoth(t, func(b *bench) {
		slow := &testSink{do: takes(25 * tenth)}
		l, in := b.probe("lanes", time.Second, nil, overlap(link.Queue), func(c *link.Config) {
			c.Lanes, c.Outlets = []link.Lane{{Outlet: slow, Optional: true}}, nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(4 * time.Second)
		assert.Equal(b, []pull{
			{time.Second, time.Second, record.Scheduled},
			{35 * tenth, 3 * time.Second, record.Scheduled},
		}, in.all())
		assert.Equal(b, planner.Ledger{Instants: 4, Ran: 2, Skipped: 1, Open: 1}, b.ledger(p, l))
	})
}

// With instants queued all the time a forced transfer has its turn.
func TestForceWhileQueued(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Second, takes(26*tenth), overlap(link.Queue))
		p := b.running(planner.Options{}, l)
		b.sleep(32 * tenth)
		_, err := p.Force(b.Context(), l)
		require.NoError(b, err)
		assert.Equal(b, 88*tenth, time.Since(b.began), "after the running and the queued one")
		b.sleep(tenth)
		assert.Equal(b, []time.Duration{62 * tenth}, in.dues(record.Forced))
		assert.Equal(b, []time.Duration{time.Second, 3 * time.Second, 8 * time.Second}, in.dues(record.Scheduled))
		b.ledger(p, l)
	})
}
