package planner_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestAddWhileRunning(t *testing.T) {
	onBoth(t, func(b *bench) {
		first, firstIn := b.probe("first", time.Second, nil)
		p := b.running(planner.Options{}, first)
		b.sleep(2*time.Second + 300*time.Millisecond)
		second, secondIn := b.probe("second", time.Second, nil)
		require.NoError(b, p.Add(b.Context(), second))
		b.sleep(2 * time.Second)
		assert.Equal(b, []pull{
			{2300 * time.Millisecond, 2300 * time.Millisecond, record.Immediate},
			{3300 * time.Millisecond, 3300 * time.Millisecond, record.Scheduled},
			{4300 * time.Millisecond, 4300 * time.Millisecond, record.Scheduled},
		}, secondIn.all(), "at once, and then every second from now")
		assert.Equal(b, grid(time.Second, 4*time.Second, time.Second), firstIn.dues(record.Scheduled))
		assert.Equal(b, []*link.Link{first, second}, p.Links())
		b.shut(p)
	})
}

func TestAddBeforeStart(t *testing.T) {
	onBoth(t, func(b *bench) {
		p := b.planner(planner.Options{})
		l, in := b.probe("late", time.Second, nil)
		require.NoError(b, p.Add(b.Context(), l))
		assert.Equal(b, []*link.Link{l}, p.Links())
		b.sleep(3 * time.Second)
		assert.Empty(b, in.all())
		require.NoError(b, p.Start(b.Context()))
		b.sleep(2 * time.Second)
		assert.Equal(b, []time.Duration{4 * time.Second, 5 * time.Second}, in.dues(record.Scheduled))
	})
}

func TestAddFails(t *testing.T) {
	onBoth(t, func(b *bench) {
		good, goodIn := b.probe("good", time.Second, nil)
		up := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		added := b.link("added", time.Second, func(c *link.Config) { c.Outlets = []outlet.Outlet{up} })
		bad := b.link("bad", time.Second, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: testkit.Flaky(1, testkit.Fail(fmt.Errorf("no route")))}}
		})
		p := b.running(planner.Options{}, good)
		err := p.Add(b.Context(), added, bad)
		require.ErrorContains(b, err, "no route")
		assert.Equal(b, []*link.Link{good}, p.Links(), "all or none")
		assert.Equal(b, 1, up.Starts())
		assert.Equal(b, 1, up.Shutdowns(), "what was started is shut down again")
		require.ErrorIs(b, p.Pause(added), planner.ErrUnknownLink)
		b.sleep(2 * time.Second)
		assert.Zero(b, up.Calls())
		require.NoError(b, p.Add(b.Context(), added, bad), "they are free, and may be added when they can start")
		b.sleep(2 * time.Second)
		assert.Len(b, goodIn.all(), 5)
		b.shut(p)
		assert.Equal(b, 2, up.Shutdowns())
	})
}

func TestRemove(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		gone, goneIn := b.probe("gone", time.Second, takes(700*time.Millisecond), func(c *link.Config) { c.Outlets = []outlet.Outlet{sink} })
		stays, staysIn := b.probe("stays", time.Second, nil)
		p := b.running(planner.Options{}, gone, stays)
		b.sleep(2*time.Second + 200*time.Millisecond)
		require.NoError(b, p.Remove(b.Context(), gone), "in the middle of a transfer")
		assert.Equal(b, 2700*time.Millisecond, time.Since(b.began), "it waits for the transfer")
		assert.Equal(b, 3, sink.Calls(), "which is delivered")
		assert.Equal(b, 1, sink.Shutdowns())
		b.sleep(3*time.Second - 200*time.Millisecond)
		assert.Len(b, goneIn.all(), 3)
		assert.Len(b, staysIn.all(), 6)
		assert.Equal(b, []*link.Link{stays}, p.Links())
		_, err := p.Ledger(gone)
		require.ErrorIs(b, err, planner.ErrUnknownLink)
		require.ErrorIs(b, p.Remove(b.Context(), gone), planner.ErrUnknownLink)

		require.NoError(b, p.Add(b.Context(), gone), "a link may be added again")
		b.sleep(time.Second + 50*time.Millisecond)
		assert.Len(b, goneIn.all(), 5)
		assert.Equal(b, int64(1), b.ledger(p, gone).Instants, "with a new ledger")
	})
}

func TestRemoveIsAllOrNothing(t *testing.T) {
	onBoth(t, func(b *bench) {
		known, _ := b.probe("known", time.Second, nil)
		unknown, _ := b.probe("unknown", time.Second, nil)
		namesake, _ := b.probe("known", time.Second, nil)
		for _, start := range []bool{false, true} {
			p := planner.Options{Trigger: planner.NewTicker(nil)}
			pl, err := planner.New(&p, known)
			require.NoError(b, err)
			if start {
				require.NoError(b, pl.Start(b.Context()))
			}
			require.ErrorIs(b, pl.Remove(b.Context(), known, unknown), planner.ErrUnknownLink)
			require.ErrorIs(b, pl.Remove(b.Context(), namesake), planner.ErrUnknownLink)
			require.ErrorIs(b, pl.Remove(b.Context(), nil), planner.ErrUnknownLink)
			require.ErrorIs(b, pl.Remove(b.Context(), known, known), planner.ErrDuplicateLink)
			require.NoError(b, pl.Remove(b.Context()))
			assert.Equal(b, []*link.Link{known}, pl.Links())
			_, err = pl.Shutdown(b.Context())
			require.NoError(b, err)
		}
	})
}

func TestPurge(t *testing.T) {
	onBoth(t, func(b *bench) {
		one, oneIn := b.probe("one", time.Second, nil)
		two, _ := b.probe("two", time.Second, nil)
		p := b.running(planner.Options{}, one, two)
		b.sleep(time.Second)
		require.NoError(b, p.Purge(b.Context()))
		assert.Empty(b, p.Links())
		assert.True(b, p.Running())
		b.sleep(5 * time.Second)
		assert.Len(b, oneIn.all(), 2)
		require.NoError(b, p.Add(b.Context(), two, one))
		b.sleep(time.Second)
		assert.Len(b, oneIn.all(), 4)
	})
}

// Removing a link whose node hangs ends at ShutdownTimeout; the others go on.
func TestRemoveHung(t *testing.T) {
	onBoth(t, func(b *bench) {
		hung, _ := b.probe("hung", time.Second, b.hangs())
		other, otherIn := b.probe("other", time.Second, nil)
		p := b.running(planner.Options{ShutdownTimeout: 3 * time.Second}, hung, other)
		b.sleep(time.Second)
		err := p.Remove(b.Context(), hung)
		assert.ErrorContains(b, err, "hung inlet")
		assert.LessOrEqual(b, time.Since(b.began), 5*time.Second)
		assert.Equal(b, []*link.Link{other}, p.Links(), "it is removed all the same")
		b.sleep(half)
		n := len(otherIn.all())
		b.sleep(10 * time.Second)
		assert.Len(b, otherIn.all(), n+10)
		b.shut(p)
	})
}

func TestRemoveEndsWithItsContext(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("slow", time.Second, takes(time.Hour))
		p := b.running(planner.Options{}, l)
		b.sleep(time.Second)
		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		defer cancel()
		require.Error(b, p.Remove(ctx, l))
		assert.LessOrEqual(b, time.Since(b.began), 4*time.Second)
		assert.Empty(b, p.Links())
	})
}

func TestPause(t *testing.T) {
	onBoth(t, func(b *bench) {
		one, oneIn := b.probe("one", time.Second, nil, skipImmediate)
		two, twoIn := b.probe("two", time.Second, nil, skipImmediate)
		p := b.running(planner.Options{}, one, two)
		b.sleep(time.Second + half)
		require.NoError(b, p.Pause(one))
		assert.True(b, p.Paused(one))
		assert.False(b, p.Paused(two))
		assert.False(b, p.Paused(one, two))
		assert.False(b, p.Paused())
		assert.True(b, p.Running(), "running and paused are two things")
		b.sleep(3 * time.Second)
		assert.Equal(b, planner.Ledger{Instants: 4, Ran: 1, Paused: 3}, b.ledger(p, one))
		assert.Len(b, twoIn.all(), 4)

		require.NoError(b, p.Pause(), "the whole planner")
		require.NoError(b, p.Resume(one))
		assert.True(b, p.Paused())
		assert.True(b, p.Paused(one, two))
		b.sleep(2 * time.Second)
		assert.Equal(b, planner.Ledger{Instants: 6, Ran: 1, Paused: 5}, b.ledger(p, one))
		assert.Equal(b, planner.Ledger{Instants: 6, Ran: 4, Paused: 2}, b.ledger(p, two))

		require.NoError(b, p.Resume())
		b.sleep(2 * time.Second)
		assert.Equal(b, []time.Duration{time.Second, 7 * time.Second, 8 * time.Second}, oneIn.dues(record.Scheduled),
			"on the same grid, and nothing is made up for")
		assert.Equal(b, planner.Ledger{Instants: 8, Ran: 3, Paused: 5}, b.ledger(p, one))
	})
}

func TestPauseBeforeStart(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("one", time.Second, nil)
		p := b.planner(planner.Options{}, l)
		require.NoError(b, p.Pause())
		require.NoError(b, p.Start(b.Context()))
		b.sleep(2*time.Second + half)
		assert.Empty(b, in.all())
		require.NoError(b, p.Resume())
		b.sleep(time.Second)
		assert.Equal(b, []pull{
			{2*time.Second + half, 2*time.Second + half, record.Immediate},
			{3 * time.Second, 3 * time.Second, record.Scheduled},
		}, in.all(), "the first transfer waits for Resume")
	})
}

// An instant that waits for a place when its link is paused is not made.
func TestPauseInTheQueue(t *testing.T) {
	onBoth(t, func(b *bench) {
		hog, _ := b.probe("hog", time.Hour, takes(5*time.Second))
		l, in := b.probe("waits", time.Second, nil, skipImmediate)
		p := b.running(planner.Options{Concurrency: 1}, hog, l)
		b.sleep(time.Second + half)
		require.NoError(b, p.Pause(l))
		b.sleep(5 * time.Second)
		assert.Empty(b, in.all())
		assert.Equal(b, planner.Ledger{Instants: 6, Paused: 6}, b.ledger(p, l))
	})
}

func TestPauseUnknown(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("one", time.Second, nil)
		other, _ := b.probe("other", time.Second, nil)
		p := b.running(planner.Options{}, l)
		require.ErrorIs(b, p.Pause(l, other), planner.ErrUnknownLink)
		assert.False(b, p.Paused(l), "nothing is paused then")
		require.ErrorIs(b, p.Resume(other), planner.ErrUnknownLink)
		assert.False(b, p.Paused(other))
	})
}

// A link may add and remove others from inside a transfer, but not itself.
func TestChangesFromInside(t *testing.T) {
	onBoth(t, func(b *bench) {
		var p *planner.Planner
		var self *link.Link
		other, otherIn := b.probe("other", time.Second, nil)
		errs := make(map[string]error)
		self, _ = b.probe("self", time.Hour, func(ctx context.Context) error {
			errs["add"] = p.Add(ctx, other)
			errs["itself"] = p.Remove(ctx, self)
			errs["itself and another"] = p.Remove(ctx, other, self)
			errs["purge"] = p.Purge(ctx)
			errs["start"] = p.Start(ctx)
			errs["pause"] = p.Pause(other)
			errs["resume"] = p.Resume(other)
			if err := takes(2*time.Second + half)(ctx); err != nil {
				return err
			}
			errs["another"] = p.Remove(ctx, other)
			return nil
		})
		p = b.planner(planner.Options{}, self)
		require.NoError(b, p.Start(b.Context()))
		b.sleep(5 * time.Second)
		for _, name := range []string{"add", "another", "pause", "resume"} {
			assert.NoError(b, errs[name], name)
		}
		for _, name := range []string{"itself", "itself and another", "purge", "start"} {
			assert.ErrorIs(b, errs[name], planner.ErrInside, name)
		}
		assert.Len(b, otherIn.all(), 3)
		assert.Equal(b, []*link.Link{self}, p.Links())
	})
}
