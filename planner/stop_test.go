package planner_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// Transfers in flight go on with a live context, and are delivered.
func TestShutdownWaits(t *testing.T) {
	onBoth(t, func(b *bench) {
		var ended error
		sink := new(testkit.Sink)
		l, in := b.probe("slow", time.Second, func(ctx context.Context) error {
			err := takes(5 * time.Second)(ctx)
			ended = ctx.Err()
			return err
		}, func(c *link.Config) { c.Outlets = []outlet.Outlet{sink} })
		p := b.running(planner.Options{}, l)
		b.sleep(2 * time.Second)
		report := b.shut(p)
		assert.Equal(b, 5*time.Second, time.Since(b.began))
		require.NoError(b, ended)
		assert.Equal(b, 1, sink.Len())
		assert.Len(b, report.Links, 1)
		assert.Len(b, in.all(), 1)
		assert.False(b, p.Running())
		<-p.Done()
	})
}

func TestShutdownIsIdempotent(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("slow", time.Second, b.hangs())
		p := b.running(planner.Options{ShutdownTimeout: 3 * time.Second}, l)
		b.sleep(time.Second)
		var wg sync.WaitGroup
		reports := make([]planner.Report, 3)
		errs := make([]error, 3)
		for i := range 3 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				reports[i], errs[i] = p.Shutdown(b.Context())
				assert.Less(b, time.Since(b.began), 5*time.Second)
				assert.GreaterOrEqual(b, time.Since(b.began), 4*time.Second)
			})
		}
		wg.Wait()
		require.Error(b, errs[0])
		for i := 1; i < 3; i++ {
			assert.Equal(b, errs[0], errs[i], "from several sides at once: one stop, one result")
			assert.Equal(b, reports[0], reports[i])
		}
		again, err := p.Shutdown(b.Context())
		assert.Equal(b, errs[0], err, "and later the same")
		assert.Equal(b, reports[0], again)
	})
}

func TestShutdownBeforeStart(t *testing.T) {
	onBoth(t, func(b *bench) {
		node := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		l := b.link("one", time.Second, func(c *link.Config) { c.Outlets = []outlet.Outlet{node} })
		p := b.planner(planner.Options{}, l)
		report := b.shut(p)
		assert.Empty(b, report.Links)
		b.shut(p)
		assert.Zero(b, node.Starts())
		<-p.Done()

		other, err := planner.New(nil, l)
		require.NoError(b, err, "the link is free")
		_, err = other.Shutdown(b.Context())
		require.NoError(b, err)
	})
}

func TestClosed(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("one", time.Second, nil)
		other, _ := b.probe("other", time.Second, nil)
		p := b.running(planner.Options{}, l)
		b.shut(p)
		require.ErrorIs(b, p.Start(b.Context()), planner.ErrClosed)
		require.ErrorIs(b, p.Run(b.Context()), planner.ErrClosed)
		require.ErrorIs(b, p.Add(b.Context(), other), planner.ErrClosed)
		require.ErrorIs(b, p.Remove(b.Context(), l), planner.ErrClosed)
		require.ErrorIs(b, p.Purge(b.Context()), planner.ErrClosed)
		require.ErrorIs(b, p.Pause(), planner.ErrClosed)
		require.ErrorIs(b, p.Resume(l), planner.ErrClosed)
		assert.Equal(b, []*link.Link{l}, p.Links(), "questions are answered still")
		b.ledger(p, l)
	})
}

// The end of the caller's context makes the stop a hard one.
func TestShutdownEndsWithItsContext(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("slow", time.Second, takes(time.Hour))
		p := b.running(planner.Options{}, l)
		b.sleep(time.Second)
		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		defer cancel()
		_, err := p.Shutdown(ctx)
		require.ErrorIs(b, err, link.ErrStopped)
		assert.LessOrEqual(b, time.Since(b.began), 4*time.Second)
		assert.GreaterOrEqual(b, time.Since(b.began), 3*time.Second)
	})
}

// A node that hangs is reported by name and left behind; the others are drained.
func TestShutdownTimeout(t *testing.T) {
	tests := []struct {
		place string
		spoil func(c *link.Config, out *testkit.FaultyOutlet, hangs testkit.Fault)
		named string // empty: nothing is wrong
	}{
		{"pull", func(c *link.Config, _ *testkit.FaultyOutlet, hangs testkit.Fault) {
			c.Inlets = []inlet.Inlet{&testkit.FaultyInlet{Name: "the inlet", Inlet: inlet.Values(1), OnPull: hangs}}
		}, "the inlet"},
		{"push", func(_ *link.Config, out *testkit.FaultyOutlet, hangs testkit.Fault) { out.OnPush = hangs }, "the outlet"},
		{"process", func(c *link.Config, _ *testkit.FaultyOutlet, hangs testkit.Fault) {
			c.Processors = []record.Processor{&testkit.FaultyProcessor{OnProcess: hangs}}
		}, "FaultyProcessor"},
		{"shutdown", func(_ *link.Config, out *testkit.FaultyOutlet, hangs testkit.Fault) { out.OnShutdown = hangs }, "the outlet"},
	}
	for _, test := range tests {
		t.Run(test.place, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				release := make(chan struct{})
				defer close(release)
				good := new(testkit.Sink)
				out := &testkit.FaultyOutlet{Name: "the outlet", Outlet: outlet.Discard()}
				bad, _ := b.probe("bad", time.Second, nil, func(c *link.Config) {
					c.Outlets = []outlet.Outlet{out}
					test.spoil(c, out, testkit.Hang(release))
				})
				l, _ := b.probe("good", time.Second, nil, func(c *link.Config) { c.Outlets = []outlet.Outlet{good} })
				p := b.running(planner.Options{ShutdownTimeout: 2 * time.Second}, bad, l)
				b.sleep(3*time.Second + half)
				stopped := time.Now()
				report, err := p.Shutdown(b.Context())
				took := time.Since(stopped)
				assert.Equal(b, 4, good.Len())
				require.ErrorContains(b, err, test.named)
				require.ErrorContains(b, err, "abandoned")
				assert.GreaterOrEqual(b, took, 2*time.Second)
				assert.LessOrEqual(b, took, 3*time.Second)
				require.Len(b, report.Links, 2)
				assert.Zero(b, b.ledger(p, bad).Open, "what hangs is interrupted")
			})
		})
	}
}

func TestNoShutdownTimeout(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("slow", time.Second, takes(time.Hour), func(c *link.Config) { c.ShutdownTimeout = -1 })
		p := b.running(planner.Options{ShutdownTimeout: -1}, l)
		b.sleep(time.Second)
		b.shut(p)
		assert.Equal(b, time.Hour, time.Since(b.began))
	})
}

func TestShutdownFromInside(t *testing.T) {
	onBoth(t, func(b *bench) {
		var p *planner.Planner
		var took time.Duration
		var within error
		sink := new(testkit.Sink)
		l, in := b.probe("one", time.Second, func(ctx context.Context) error {
			at := time.Now()
			_, within = p.Shutdown(ctx)
			took = time.Since(at)
			return takes(2 * time.Second)(ctx)
		}, func(c *link.Config) { c.Outlets = []outlet.Outlet{sink} })
		p = b.planner(planner.Options{}, l)
		require.NoError(b, p.Run(b.Context()))
		require.NoError(b, within)
		assert.Zero(b, took, "it begins the stop and returns")
		assert.Len(b, in.all(), 1)
		assert.Equal(b, 1, sink.Len(), "the transfer it was called from is delivered")
	})
}

func TestShutdownFromHandlers(t *testing.T) {
	onBoth(t, func(b *bench) {
		var p *planner.Planner
		l, in := b.probe("one", time.Second, nil)
		p = b.planner(planner.Options{OnReport: func(ctx context.Context, r link.Report) {
			if r.Number == 2 {
				_, _ = p.Shutdown(ctx)
			}
		}}, l)
		require.NoError(b, p.Run(b.Context()))
		assert.Len(b, in.all(), 3)
	})
}

// The failure of a schedule is in no transfer, but its handler may stop the planner too.
func TestShutdownFromOnErrorOfASchedule(t *testing.T) {
	onBoth(t, func(b *bench) {
		var p *planner.Planner
		l, _ := b.probe("bad", time.Second, nil, scheduled(&badSchedule{
			Schedule: schedule.Every(time.Second),
			next: func(after time.Time) (time.Time, bool) {
				if after.Sub(b.began) >= 2*time.Second {
					panic("no idea")
				}
				return time.Time{}, false
			},
		}))
		p = b.planner(planner.Options{OnError: func(ctx context.Context, err *link.Error) error {
			_, _ = p.Shutdown(ctx)
			return err
		}}, l)
		require.ErrorContains(b, p.Run(b.Context()), "no idea")
		assert.Equal(b, 2*time.Second, time.Since(b.began))
	})
}

// A Shutdown in the middle of a Start ends it.
func TestShutdownWhileStarting(t *testing.T) {
	onBoth(t, func(b *bench) {
		first := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		up := b.link("up", time.Second, func(c *link.Config) { c.Outlets = []outlet.Outlet{first} })
		slow := b.link("slow", time.Second, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: testkit.Slow(time.Hour)}}
		})
		p := b.planner(planner.Options{}, up, slow)
		started := make(chan error)
		go func() { started <- p.Start(b.Context()) }()
		b.sleep(time.Second)
		go func() { _, _ = p.Shutdown(b.Context()) }()
		require.ErrorIs(b, <-started, planner.ErrClosed)
		b.shut(p)
		assert.Equal(b, time.Second, time.Since(b.began))
		assert.Equal(b, 1, first.Starts())
		assert.Equal(b, 1, first.Shutdowns())
	})
}

// stoppedTrigger is stopped while it is being started.
type stoppedTrigger struct {
	planner.Trigger
	stop func()
}

func (s *stoppedTrigger) Start(emit func(planner.Tick)) error {
	s.stop()
	return s.Trigger.Start(emit)
}

func TestShutdownWhileTheTriggerStarts(t *testing.T) {
	s := &stoppedTrigger{Trigger: planner.NewTicker(nil)}
	inBubble(t, func() planner.Trigger { return s }, func(b *bench) {
		l, in := b.probe("one", time.Second, nil)
		p := b.planner(planner.Options{}, l)
		s.stop = func() {
			go func() { _, _ = p.Shutdown(b.Context()) }()
			b.sleep(0)
		}
		require.ErrorIs(b, p.Start(b.Context()), planner.ErrClosed)
		b.shut(p)
		assert.Empty(b, in.all())
	})
}

// A Shutdown and a Remove at the same time.
func TestShutdownWhileRemoving(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("slow", time.Second, takes(5*time.Second))
		other, _ := b.probe("other", time.Second, nil)
		p := b.running(planner.Options{}, l, other)
		b.sleep(time.Second)
		removed := make(chan error, 1)
		go func() { removed <- p.Remove(b.Context(), l) }()
		b.sleep(time.Second)
		report := b.shut(p)
		assert.Equal(b, 5*time.Second, time.Since(b.began))
		require.NoError(b, <-removed)
		assert.Len(b, report.Links, 1)
	})
}

func TestRun(t *testing.T) {
	onBoth(t, func(b *bench) {
		node := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		l, in := b.probe("one", time.Second, takes(300*time.Millisecond), func(c *link.Config) { c.Outlets = []outlet.Outlet{node} })
		ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second+100*time.Millisecond)
		defer cancel()
		require.NoError(b, b.planner(planner.Options{}, l).Run(ctx), "the end of ctx is a soft stop")
		assert.Equal(b, 5300*time.Millisecond, time.Since(b.began))
		assert.Len(b, in.all(), 6)
		assert.Equal(b, 6, node.Calls())
		assert.Equal(b, 1, node.Shutdowns())
	})
}

func TestRunLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, began: time.Now()}
		l, in := b.probe("one", time.Second, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+half)
		defer cancel()
		require.NoError(t, planner.Run(ctx, l))
		assert.Len(t, in.all(), 3)

		bad := b.link("bad", time.Second, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: testkit.Fail(errors.New("no route"))}}
		})
		require.ErrorContains(t, planner.Run(t.Context(), l, bad), "no route")
		require.ErrorIs(t, planner.Run(t.Context(), l, l), planner.ErrDuplicateLink)
		ctx, cancel = context.WithTimeout(t.Context(), half)
		defer cancel()
		require.NoError(t, planner.Run(ctx, l), "the link is free each time")
	})
}
