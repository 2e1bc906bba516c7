package planner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// By default the planner goes on after a failure whose records are kept.
func TestGoesOn(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, _ := b.probe("flaky", time.Second, nil, func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Name: "store", Outlet: sink, OnPush: testkit.Flaky(3, testkit.Fail(errors.New("503")))}), nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(2*time.Second + half)
		assert.True(b, p.Running())
		assert.Zero(b, sink.Len())
		lines := b.log.lines()
		require.Len(b, lines, 3, "each is logged")
		assert.Equal(b, "WARN failed; the records are kept and offered again link=flaky op=push node=store number=0 records=1 err=503", lines[0])
		assert.Equal(b, planner.Ledger{Instants: 2, Failed: 2, Immediate: 1}, b.ledger(p, l))
		b.sleep(time.Second)
		assert.Equal(b, 4, sink.Len())
		b.shut(p)
	})
}

// What failed is no error of a stop in which it was delivered.
func TestPutRightAtTheEnd(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, _ := b.probe("flaky", time.Second, takes(300*time.Millisecond), func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: sink, OnPush: testkit.Flaky(3, testkit.Fail(errors.New("503")))}), nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(2*time.Second + 100*time.Millisecond)
		b.shut(p)
		assert.Equal(b, 3, sink.Len())
	})
}

// What is not delivered at the end is an error, with its numbers in the report.
func TestAbandonedAtTheEnd(t *testing.T) {
	onBoth(t, func(b *bench) {
		broken := errors.New("503")
		l, _ := b.probe("broken", time.Second, nil, func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Fail(broken)}), nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(2 * time.Second)
		report, err := p.Shutdown(b.Context())
		require.ErrorIs(b, err, broken)
		require.Len(b, report.Links, 1)
		assert.Equal(b, int64(3), report.Links[0].Lanes[0].Abandoned)
	})
}

// Everything else stops the planner gracefully, and Run returns it.
func TestStops(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name   string
		config func(c *link.Config)
		op     link.Op
	}{
		{"pull", func(c *link.Config) {
			c.Inlets = []inlet.Inlet{&testkit.FaultyInlet{Inlet: inlet.Values(1), OnPull: testkit.Every(3, testkit.Fail(broken))}}
		}, link.OpPull},
		{"process", func(c *link.Config) {
			c.Inlets = []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { return 1, nil })}
			c.Processors = []record.Processor{&testkit.FaultyProcessor{OnProcess: testkit.Every(3, testkit.Fail(broken))}}
		}, link.OpProcess},
		{"push, for good", func(c *link.Config) {
			c.Inlets = []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { return 1, nil })}
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Every(3, testkit.Fail(record.Permanent(broken)))}), nil
		}, link.OpPush},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				bad := b.link("bad", time.Second, test.config)
				sink := new(testkit.Sink)
				good, in := b.probe("good", time.Second, takes(300*time.Millisecond), func(c *link.Config) { c.Outlets = []outlet.Outlet{sink} })
				p := b.planner(planner.Options{}, bad, good)
				err := p.Run(b.Context())
				require.ErrorIs(b, err, broken)
				var failure *link.Error
				require.ErrorAs(b, err, &failure)
				assert.Equal(b, test.op, failure.Op)
				assert.Equal(b, "bad", failure.Link)
				assert.InDelta(b, 2.15, time.Since(b.began).Seconds(), 0.16)
				assert.Equal(b, len(in.all()), sink.Len(), "the others are drained")
				require.NotEmpty(b, b.log.lines())
				assert.Contains(b, b.log.lines()[0], "ERROR a failure stops the planner")
				_, again := p.Shutdown(b.Context())
				assert.Equal(b, err, again)
			})
		})
	}
}

func TestStopOnError(t *testing.T) {
	onBoth(t, func(b *bench) {
		broken := errors.New("503")
		l, _ := b.probe("flaky", time.Second, nil, func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Flaky(1, testkit.Fail(broken))}), nil
		})
		err := b.planner(planner.Options{OnError: planner.StopOnError}, l).Run(b.Context())
		require.ErrorIs(b, err, broken)
		assert.Zero(b, time.Since(b.began))
	})
}

func TestOnError(t *testing.T) {
	onBoth(t, func(b *bench) {
		broken := errors.New("broken")
		enough := errors.New("enough")
		l, in := b.probe("bad", time.Second, func(context.Context) error { return broken })
		var got []*link.Error
		p := b.planner(planner.Options{OnError: func(ctx context.Context, err *link.Error) error {
			assert.Same(b, l, link.FromContext(ctx))
			if got = append(got, err); len(got) < 4 {
				return nil
			}
			return fmt.Errorf("%w: %w", enough, err)
		}}, l)
		err := p.Run(b.Context())
		require.ErrorIs(b, err, enough)
		require.ErrorIs(b, err, broken)
		assert.Equal(b, 1, len(unwrap(err)), "each failure is there once: %v", err)
		assert.Len(b, in.all(), 4)
		assert.Empty(b, b.log.lines())
	})
}

// A failure at the stop that a handler has wrapped is not there a second time.
func TestOnErrorWraps(t *testing.T) {
	onBoth(t, func(b *bench) {
		broken := errors.New("503")
		l, _ := b.probe("bad", time.Second, nil, func(c *link.Config) {
			c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Fail(broken)}), nil
		})
		err := b.planner(planner.Options{OnError: func(_ context.Context, err *link.Error) error {
			return fmt.Errorf("wrapped: %w", err)
		}}, l).Run(b.Context())
		require.ErrorIs(b, err, broken)
		parts := unwrap(err)
		assert.Len(b, parts, 2, "at the first transfer, and at the stop")
		for _, part := range parts {
			assert.ErrorContains(b, part, "wrapped")
		}
	})
}

func unwrap(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// The link's handler comes first; what it has settled the planner does not see.
func TestLinkOnErrorComesFirst(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("bad", time.Second, func(context.Context) error { return errors.New("broken") }, func(c *link.Config) {
			c.OnError = func(_ context.Context, err *link.Error) error {
				if err.Number < 3 {
					return nil
				}
				return err
			}
		})
		require.Error(b, b.planner(planner.Options{}, l).Run(b.Context()))
		assert.Len(b, in.all(), 4)
	})
}

func TestOnReport(t *testing.T) {
	onBoth(t, func(b *bench) {
		var links []*link.Link
		for i := range 5 {
			l, _ := b.probe(fmt.Sprint(i), time.Second, takes(time.Duration(i)*100*time.Millisecond))
			links = append(links, l)
		}
		numbers := make(map[string][]int64)
		on, most := 0, 0
		var mu sync.Mutex
		p := b.running(planner.Options{OnReport: func(ctx context.Context, r link.Report) {
			mu.Lock()
			on++
			most = max(most, on)
			mu.Unlock()
			assert.Equal(b, r.Link, link.FromContext(ctx).Name())
			numbers[r.Link] = append(numbers[r.Link], r.Number) // a race if calls overlap
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			on--
			mu.Unlock()
		}}, links...)
		b.sleep(10*time.Second + half)
		b.shut(p)
		assert.Equal(b, 1, most)
		for _, l := range links {
			got := numbers[l.Name()]
			assert.True(b, slices.IsSorted(got), "in order: %v", got)
			assert.Len(b, got, 12, "11 transfers and the stop")
		}
	})
}

// Slow OnReports hold transfers up; they are not piled up without end.
func TestSlowOnReport(t *testing.T) {
	onBoth(t, func(b *bench) {
		var links []*link.Link
		for i := range 200 {
			links = append(links, b.link(fmt.Sprint(i), time.Second))
		}
		p := b.running(planner.Options{OnReport: func(context.Context, link.Report) { time.Sleep(20 * time.Millisecond) }}, links...)
		b.sleep(time.Minute)
		var ran, all int64
		for _, l := range links {
			ledger := b.ledger(p, l)
			all += ledger.Instants
			ran += ledger.Ran
		}
		assert.EqualValues(b, 60*200, all)
		assert.Less(b, ran, int64(60*50+1000+200), "as many as were reported, and those that wait")
		b.shut(p)
	})
}

// A link that another process has taken over transfers no more, whatever the
// handler says.
func TestFenced(t *testing.T) {
	onBoth(t, func(b *bench) {
		store := new(state.Memory)
		config := func(c *link.Config) {
			c.State = store
			c.Inlets = []inlet.Inlet{inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
				return []int{after + 1}, after + 1, nil
			})}
		}
		l := b.link("shared", time.Second, config)
		var failures []*link.Error
		p := b.running(planner.Options{OnError: func(_ context.Context, err *link.Error) error {
			failures = append(failures, err)
			return nil
		}}, l)
		b.sleep(2*time.Second + half)
		_, err := b.link("shared", time.Second, config).Once(b.Context()) // as another process would
		require.NoError(b, err)
		b.sleep(time.Second)
		require.Len(b, failures, 1)
		require.ErrorIs(b, failures[0], link.ErrFenced)
		assert.True(b, p.Running())
		assert.True(b, p.Paused(l))
		require.NoError(b, p.Resume(l))
		require.NoError(b, p.Resume())
		assert.True(b, p.Paused(l), "for good")
		b.sleep(5 * time.Second)
		assert.Len(b, failures, 1)
		ledger := b.ledger(p, l)
		assert.EqualValues(b, 8, ledger.Instants)
		assert.EqualValues(b, 5, ledger.Paused)
		_, err = p.Force(b.Context(), l)
		require.ErrorIs(b, err, link.ErrFenced)
		_, _ = p.Shutdown(b.Context())
	})
}
