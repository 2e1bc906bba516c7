package planner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

func TestForce(t *testing.T) {
	onBoth(t, func(b *bench) {
		one, oneIn := b.probe("one", time.Minute, nil, skipImmediate)
		two, twoIn := b.probe("two", time.Minute, nil, skipImmediate)
		p := b.running(planner.Options{}, one, two)
		b.sleep(10 * time.Second)
		reports, err := p.Force(b.Context(), two)
		require.NoError(b, err)
		require.Len(b, reports, 1)
		assert.Equal(b, "two", reports[0].Link)
		assert.Equal(b, record.Forced, reports[0].Reason)
		assert.Equal(b, link.Ran, reports[0].Outcome)
		assert.Equal(b, int64(1), reports[0].Pulled)
		assert.Equal(b, 10*time.Second, b.since(reports[0].Due))
		assert.Empty(b, oneIn.all())

		reports, err = p.Force(b.Context())
		require.NoError(b, err, "no link: all")
		require.Len(b, reports, 2)
		assert.Equal(b, "one", reports[0].Link)
		assert.Equal(b, "two", reports[1].Link)
		assert.Len(b, oneIn.dues(record.Forced), 1)
		assert.Len(b, twoIn.dues(record.Forced), 2)
		b.sleep(time.Minute)
		assert.Equal(b, planner.Ledger{Instants: 1, Ran: 1, Forced: 2}, b.ledger(p, two), "instants are not affected")
	})
}

// Force waits its turn: for a running transfer, for those forced before, for a place.
func TestForceWaits(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Hour, takes(2*time.Second))
		hog, _ := b.probe("hog", time.Hour, takes(3*time.Second))
		p := b.running(planner.Options{Concurrency: 1}, hog, l)
		b.sleep(time.Second)
		require.NoError(b, p.Pause(l), "paused links are forced too")
		var wg sync.WaitGroup
		var at [3]time.Duration
		for i := range at {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				_, err := p.Force(b.Context(), l)
				assert.NoError(b, err)
				at[i] = time.Since(b.began)
			})
		}
		wg.Wait()
		assert.Equal(b, [3]time.Duration{5 * time.Second, 7 * time.Second, 9 * time.Second}, at)
		assert.Equal(b, 1, in.overlap())
		require.NoError(b, p.Resume(l))
		b.sleep(time.Hour)
		assert.Len(b, in.dues(record.Immediate), 1, "the first transfer waited for Resume")
	})
}

// What is due while a forced transfer runs is skipped.
func TestForceAndInstants(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("one", time.Second, takes(1100*time.Millisecond), skipImmediate)
		p := b.running(planner.Options{}, l)
		b.sleep(800 * time.Millisecond)
		_, err := p.Force(b.Context(), l)
		require.NoError(b, err)
		assert.Equal(b, 1900*time.Millisecond, time.Since(b.began))
		assert.Equal(b, int64(1), b.ledger(p, l).Skipped)
		b.sleep(half)
		assert.Len(b, in.dues(record.Forced), 1)
	})
}

func TestForceIsWithdrawn(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Hour, takes(10*time.Second))
		p := b.running(planner.Options{}, l)
		b.sleep(time.Second)
		cause := errors.New("never mind")
		ctx, cancel := context.WithTimeoutCause(b.Context(), time.Second, cause)
		defer cancel()
		_, err := p.Force(ctx, l)
		require.ErrorIs(b, err, cause)
		assert.Equal(b, 2*time.Second, time.Since(b.began))
		b.sleep(time.Minute)
		assert.Len(b, in.all(), 1, "it has not begun, and does not")

		ctx, cancel = context.WithTimeoutCause(b.Context(), time.Second, cause)
		defer cancel()
		_, err = p.Force(ctx, l)
		require.ErrorIs(b, err, cause)
		b.sleep(time.Minute)
		assert.Len(b, in.all(), 2, "it has begun, and goes on")
		assert.Equal(b, int64(1), b.ledger(p, l).Forced)

		withdrawn := make(chan struct{})
		for i := range 3 { // out of the middle of those that wait
			go func() {
				ctx := b.Context()
				if i == 1 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
				}
				_, _ = p.Force(ctx, l)
				withdrawn <- struct{}{}
			}()
			b.sleep(time.Millisecond)
		}
		for range 3 {
			<-withdrawn
		}
		assert.Len(b, in.all(), 4)
	})
}

func TestForceFails(t *testing.T) {
	onBoth(t, func(b *bench) {
		broken := errors.New("broken")
		bad := b.link("bad", time.Hour, skipImmediate, func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Flaky(1, testkit.Fail(broken))}), nil
		})
		settled := b.link("settled", time.Hour, skipImmediate, func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Flaky(1, testkit.Fail(broken))}), nil
			c.OnError = func(context.Context, *link.Error) error { return nil }
		})
		good := b.link("good", time.Hour, skipImmediate)
		p := b.running(planner.Options{}, bad, settled, good)
		reports, err := p.Force(b.Context())
		require.ErrorIs(b, err, broken)
		assert.NotContains(b, err.Error(), "settled", "what a handler has settled is no error")
		require.Len(b, reports, 3)
		assert.Equal(b, link.Failed, reports[0].Outcome)
		assert.ErrorIs(b, reports[1].Err, broken, "but it is in the Report")
		assert.Equal(b, link.Ran, reports[2].Outcome)
		assert.True(b, p.Running(), "the records are kept")
		b.shut(p)
	})
}

func TestForceUnknown(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("known", time.Hour, nil, skipImmediate)
		other, _ := b.probe("other", time.Hour, nil)
		p := b.planner(planner.Options{}, l)
		check := func() {
			b.Helper()
			_, err := p.Force(b.Context(), l, other)
			require.ErrorIs(b, err, planner.ErrUnknownLink)
			_, err = p.Force(b.Context(), nil)
			require.ErrorIs(b, err, planner.ErrUnknownLink)
			_, err = p.Force(b.Context(), l, l)
			require.ErrorIs(b, err, planner.ErrDuplicateLink)
			assert.Empty(b, in.all(), "nothing is forced then")
		}
		check()
		require.NoError(b, p.Start(b.Context()))
		check()
		b.shut(p)
		check()
	})
}

// A planner that is not running starts the nodes, transfers, and shuts them down.
func TestForceWhenNotRunning(t *testing.T) {
	onBoth(t, func(b *bench) {
		shared := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		var links []*link.Link
		for i := range 5 {
			l, _ := b.probe(fmt.Sprint(i), time.Hour, takes(time.Second), func(c *link.Config) { c.Outlets = []outlet.Outlet{shared} })
			links = append(links, l)
		}
		p := b.planner(planner.Options{Concurrency: 2}, links...)
		force := func() {
			b.Helper()
			began := time.Now()
			reports, err := p.Force(b.Context())
			require.NoError(b, err)
			require.Len(b, reports, 5)
			for i, r := range reports {
				assert.Equal(b, fmt.Sprint(i), r.Link)
				assert.Equal(b, int64(1), r.Pulled)
			}
			assert.Equal(b, 3*time.Second, time.Since(began), "two at a time")
			assert.Equal(b, shared.Starts(), shared.Shutdowns())
			assert.False(b, p.Running())
		}
		force()
		require.NoError(b, p.Start(b.Context()))
		b.sleep(5 * time.Second)
		b.shut(p)
		force()

		q, err := planner.New(nil, links...)
		require.NoError(b, err, "the links are free")
		_, err = p.Force(b.Context())
		require.ErrorContains(b, err, "belongs to a planner")
		_, err = q.Shutdown(b.Context())
		require.NoError(b, err)
	})
}

func TestForceInside(t *testing.T) {
	onBoth(t, func(b *bench) {
		var p *planner.Planner
		var err error
		other, otherIn := b.probe("other", time.Hour, nil, skipImmediate)
		self, _ := b.probe("self", time.Hour, func(ctx context.Context) error {
			_, err = p.Force(ctx, other)
			return nil
		})
		p = b.planner(planner.Options{Concurrency: 1}, self, other)
		require.NoError(b, p.Start(b.Context()))
		b.sleep(time.Second)
		require.ErrorIs(b, err, planner.ErrInside)
		assert.Empty(b, otherIn.all())
		b.shut(p)
		err = nil
		_, forced := p.Force(b.Context(), self)
		require.NoError(b, forced)
		require.ErrorIs(b, err, planner.ErrInside)
	})
}

// Forced transfers that have not begun when the planner stops, or the link is
// removed, do not.
func TestForceAndStop(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Hour, takes(10*time.Second))
		gone, goneIn := b.probe("gone", time.Hour, takes(5*time.Second))
		p := b.running(planner.Options{}, l, gone)
		b.sleep(time.Second)
		errs := make(chan error, 2)
		for _, l := range []*link.Link{l, gone} {
			go func() {
				_, err := p.Force(b.Context(), l)
				errs <- err
			}()
		}
		b.sleep(time.Second)
		require.NoError(b, p.Remove(b.Context(), gone))
		require.ErrorIs(b, <-errs, planner.ErrUnknownLink)
		b.shut(p)
		require.ErrorIs(b, <-errs, planner.ErrClosed)
		assert.Len(b, in.all(), 1)
		assert.Len(b, goneIn.all(), 1)
	})
}

func TestForceWhileStarting(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("one", time.Hour, nil, skipImmediate, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: testkit.Slow(3 * time.Second)}}
		})
		p := b.planner(planner.Options{}, l)
		go func() { assert.NoError(b, p.Start(b.Context())) }()
		b.sleep(time.Second)
		_, err := p.Force(b.Context(), l)
		require.NoError(b, err)
		assert.Equal(b, 3*time.Second, time.Since(b.began), "it waits until the planner runs")
		assert.Len(b, in.all(), 1)
	})
}

// A Shutdown of a planner that is not started is bounded by its own time too, and not
// only by that of the link whose forced transfer hangs.
func TestForceHangsWhenNotRunning(t *testing.T) {
	for name, bound := range map[string]func(*planner.Options, context.Context) (context.Context, context.CancelFunc){
		"option": func(o *planner.Options, ctx context.Context) (context.Context, context.CancelFunc) {
			o.ShutdownTimeout = 5 * time.Second
			return ctx, func() {}
		},
		"context": func(_ *planner.Options, ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 6*time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				var opts planner.Options
				ctx, cancel := bound(&opts, b.Context())
				defer cancel()
				l, _ := b.probe("hangs", time.Hour, b.hangs(), func(c *link.Config) { c.ShutdownTimeout = -1 })
				p := b.planner(opts, l)
				forced := make(chan error)
				go func() {
					_, err := p.Force(b.Context())
					forced <- err
				}()
				b.sleep(time.Second)
				go func() { _, _ = p.Shutdown(ctx) }()
				require.ErrorContains(b, <-forced, "abandoned")
				<-p.Done()
				assert.Less(b, time.Since(b.began), 8*time.Second)
			})
		})
	}
}
