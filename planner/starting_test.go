package planner_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// startsSlowly makes the nodes of a link need d to start.
func startsSlowly(d time.Duration) func(*link.Config) {
	return func(c *link.Config) {
		c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: testkit.Slow(d)}}
	}
}

// names returns the names of the links of p.
func names(p *planner.Planner) (all []string) {
	for _, l := range p.Links() {
		all = append(all, l.Name())
	}
	return all
}

// While a planner starts it has its links, and they can be paused.
func TestLinksWhileStarting(t *testing.T) {
	onBoth(t, func(b *bench) {
		first, _ := b.probe("first", time.Second, nil)
		slow, in := b.probe("slow", time.Second, nil, startsSlowly(3*time.Second))
		p := b.planner(planner.Options{}, first, slow)
		started := make(chan error)
		go func() { started <- p.Start(b.Context()) }()
		b.sleep(time.Second)
		assert.False(b, p.Running())
		assert.Equal(b, []string{"first", "slow"}, names(p))
		for _, l := range []*link.Link{first, slow} {
			require.NoError(b, p.Pause(l))
			assert.True(b, p.Paused(l))
			assert.Equal(b, planner.Ledger{}, b.ledger(p, l))
		}
		require.NoError(b, p.Resume(first))
		require.NoError(b, <-started)
		b.sleep(3 * time.Second)
		assert.Empty(b, in.all())
		assert.EqualValues(b, 3, b.ledger(p, first).Ran)
		assert.EqualValues(b, 3, b.ledger(p, slow).Paused)
		b.shut(p)
	})
}

// Links that are being added are not there before all of them are.
func TestLinksWhileAdding(t *testing.T) {
	onBoth(t, func(b *bench) {
		first, _ := b.probe("first", time.Second, nil)
		slow, _ := b.probe("slow", time.Second, nil, startsSlowly(3*time.Second))
		last, in := b.probe("last", time.Second, nil)
		p := b.running(planner.Options{}, first)
		added := make(chan error)
		go func() { added <- p.Add(b.Context(), slow, last) }()
		b.sleep(time.Second)
		assert.Equal(b, []string{"first"}, names(p))
		for _, l := range []*link.Link{slow, last} {
			_, err := p.Force(b.Context(), l)
			require.ErrorIs(b, err, planner.ErrUnknownLink)
			require.ErrorIs(b, p.Pause(l), planner.ErrUnknownLink)
		}
		_, err := p.Force(b.Context())
		require.NoError(b, err, "all that are there")
		require.NoError(b, <-added)
		assert.Equal(b, []string{"first", "slow", "last"}, names(p))
		b.sleep(0)
		assert.Len(b, in.all(), 1)
		b.shut(p)
	})
}

// A schedule that fails while others are being asked still is told as any other, when
// the planner is started, and not at all if that fails.
func TestScheduleFailsWhileStarting(t *testing.T) {
	onBoth(t, func(b *bench) {
		bad, _ := b.probe("bad", time.Second, nil, scheduled(&badSchedule{
			Schedule: schedule.Every(time.Second),
			bind:     func() schedule.Schedule { panic("no anchor") },
		}))
		bound, asked := schedule.Every(time.Second).(schedule.Binder).Bind("", b.began), 0
		slow, _ := b.probe("slow", time.Second, nil, scheduled(atFunc(func(after time.Time) time.Time {
			if asked++; asked <= 2 { // once in each start
				time.Sleep(3 * time.Second)
			}
			return bound.Next(after)
		})))
		p := b.planner(planner.Options{}, bad, slow)
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		err := p.Start(ctx)
		require.ErrorIs(b, err, context.DeadlineExceeded)
		assert.NotContains(b, err.Error(), "no anchor")
		b.sleep(2 * time.Second)

		ctx, cancel = context.WithTimeout(b.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		require.ErrorContains(b, p.Run(ctx), "no anchor")
		assert.Equal(b, 3*time.Second, time.Since(began))
	})
}

// What waits for the end of a call cannot be asked for from inside that call.
func TestChangesFromInsideWhileStarting(t *testing.T) {
	onBoth(t, func(b *bench) {
		var p *planner.Planner
		other, _ := b.probe("other", time.Second, nil)
		fresh, _ := b.probe("new", time.Second, nil)
		refused := 0
		change := func(ctx context.Context) error {
			for _, err := range []error{p.Add(ctx, fresh), p.Remove(ctx, other), p.Start(ctx)} {
				if assert.ErrorIs(b, err, planner.ErrInside) {
					refused++
				}
			}
			return nil
		}
		starts := func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: func(ctx context.Context, _ int) error {
				return change(ctx)
			}}}
		}
		force, _ := b.probe("force", time.Second, change)
		p = b.planner(planner.Options{}, other, force)
		_, err := p.Force(b.Context(), force)
		require.NoError(b, err)
		assert.Equal(b, 3, refused, "in a transfer of a planner that is not started")
		require.NoError(b, p.Remove(b.Context(), force))

		start, _ := b.probe("start", time.Second, nil, starts)
		require.NoError(b, p.Add(b.Context(), start))
		require.NoError(b, p.Start(b.Context()))
		assert.Equal(b, 6, refused, "in a Start")
		add, _ := b.probe("add", time.Second, nil, starts)
		require.NoError(b, p.Add(b.Context(), add))
		assert.Equal(b, 9, refused, "in an Add")
		b.shut(p)
	})
}

// A Shutdown ends the waiting of an Add for the transfers that Force makes.
func TestAddWhileForced(t *testing.T) {
	onBoth(t, func(b *bench) {
		slow, _ := b.probe("slow", time.Second, takes(10*time.Second))
		other, _ := b.probe("other", time.Second, nil)
		p := b.planner(planner.Options{}, slow)
		go func() { _, _ = p.Force(b.Context()) }()
		b.sleep(time.Second)
		added := make(chan error)
		go func() { added <- p.Add(b.Context(), other) }()
		b.sleep(time.Second)
		go func() { _, _ = p.Shutdown(b.Context()) }()
		require.ErrorIs(b, <-added, planner.ErrClosed)
		assert.Equal(b, 2*time.Second, time.Since(b.began))
		b.shut(p)
	})
}
