package planner_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// The instant also ends the pushes of a transfer that was handed over.
func TestCancelALane(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("lanes", time.Second, nil, overlap(link.CancelPrevious), func(c *link.Config) {
			c.Lanes, c.Outlets = []link.Lane{{Outlet: &testSink{do: takes(time.Hour)}, Optional: true}}, nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(4*time.Second + half)
		assert.Equal(b, grid(time.Second, 4*time.Second, time.Second), in.dues(record.Scheduled))
		ledger := b.ledger(p, l)
		assert.Zero(b, ledger.Skipped, "%v", ledger)
	})
}

// The next instant ends the calls of the transfer before it and goes ahead.
func TestCancelPrevious(t *testing.T) {
	onBoth(t, func(b *bench) {
		var outcomes []link.Outcome
		l, in := b.probe("slow", time.Second, first(3, takes(time.Hour)), overlap(link.CancelPrevious))
		p := b.running(planner.Options{OnReport: func(_ context.Context, r link.Report) { outcomes = append(outcomes, r.Outcome) }}, l)
		b.sleep(5*time.Second + half)
		var want []pull
		for _, at := range grid(time.Second, 5*time.Second, time.Second) {
			want = append(want, pull{at, at, record.Scheduled})
		}
		assert.Equal(b, want, in.all())
		assert.Equal(b, 1, in.overlap())
		assert.Equal(b, planner.Ledger{Instants: 5, Ran: 2, Cancelled: 3}, b.ledger(p, l))
		assert.Equal(b, []link.Outcome{link.Cancelled, link.Cancelled, link.Cancelled, link.Ran, link.Ran}, outcomes)
		require.Len(b, b.log.lines(), 3)
		assert.Contains(b, b.log.lines()[0], "WARN")
		assert.Contains(b, b.log.lines()[0], link.ErrCancelled.Error())
		b.shut(p)
		assert.EqualValues(b, 2, l.Account().Pulled)
	})
}

// Nothing is lost by it, wherever a transfer is cut off.
func TestCancelPreviousKeepsRecords(t *testing.T) {
	slowly := func(n int) testkit.Fault { return testkit.Flaky(n, testkit.Slow(time.Hour)) }
	tests := []struct {
		name   string
		config func(c *link.Config, letters outlet.Outlet)
		failed int64 // transfers that are cancelled; one that cannot get rid of a record is blocked
	}{
		{"pull", func(c *link.Config, _ outlet.Outlet) {
			c.Inlets = []inlet.Inlet{&testkit.FaultyInlet{Inlet: c.Inlets[0], OnPull: slowly(2)}}
		}, 2},
		{"processor", func(c *link.Config, letters outlet.Outlet) {
			c.Processors, c.DeadLetter = []record.Processor{&testkit.FaultyProcessor{OnProcess: slowly(2)}}, letters
		}, 1},
		{"lane processor", func(c *link.Config, letters outlet.Outlet) {
			c.Lanes = []link.Lane{{Outlet: c.Outlets[0], Processors: []record.Processor{&testkit.FaultyProcessor{OnProcess: slowly(2)}}, DeadLetter: letters}}
			c.Outlets = nil
		}, 2},
		{"push", func(c *link.Config, _ outlet.Outlet) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: c.Outlets[0], OnPush: slowly(2)}}
		}, 2},
		{"push, where what is refused is dropped", func(c *link.Config, _ outlet.Outlet) {
			c.Lanes = []link.Lane{{Outlet: &testkit.FaultyOutlet{Outlet: c.Outlets[0], OnPush: slowly(2)}, OnFail: link.Drop, Retry: link.Retry{Tries: 1}}}
			c.Outlets = nil
		}, 2},
		{"pause between two tries", func(c *link.Config, _ outlet.Outlet) {
			c.Lanes = []link.Lane{{
				Outlet: &testkit.FaultyOutlet{Outlet: c.Outlets[0], OnPush: testkit.Flaky(1, testkit.Fail(record.RetryAfter(half, errors.New("503"))))},
				Retry:  link.Retry{Tries: -1, Within: -1, Backoff: time.Hour, MaxBackoff: -1},
			}}
			c.Outlets = nil
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				sink, letters := new(testkit.Sink), new(testkit.Sink)
				l := b.link("cut", time.Second, overlap(link.CancelPrevious), func(c *link.Config) {
					c.Inlets = []inlet.Inlet{inlet.Since("numbers", func(_ context.Context, after int) ([]int, int, error) {
						return []int{after + 1}, after + 1, nil
					})}
					c.Outlets = []outlet.Outlet{sink}
					test.config(c, letters)
				})
				p := b.running(planner.Options{}, l)
				b.sleep(10*time.Second + half)
				b.shut(p)
				ledger := b.ledger(p, l)
				assert.Equal(b, test.failed, ledger.Cancelled, "%v", ledger)
				assert.GreaterOrEqual(b, ledger.Ran, 9-test.failed, "%v", ledger)
				var got []int
				for _, r := range sink.Records() {
					got = append(got, r.Payload.(int))
				}
				require.NotEmpty(b, got)
				for i, n := range got {
					require.Equal(b, i+1, n, "in order, without a gap: %v", got)
				}
				assert.GreaterOrEqual(b, len(got), 7)
				assert.Zero(b, letters.Len())
				account := l.Account()
				require.NoError(b, account.Balance())
				assert.EqualValues(b, len(got), account.Pulled)
				assert.EqualValues(b, len(got), account.Lanes[0].Delivered)
			})
		})
	}
}

// Whatever is cut off, and when, everything is delivered in order and without a gap, by a
// processor that holds, two lanes, dead letters and all.
func TestCancelPreviousAtRandom(t *testing.T) {
	rounds := uint64(30)
	if testing.Short() {
		rounds = 5
	}
	for name, trigger := range triggers {
		t.Run(name, func(t *testing.T) {
			for seed := range rounds {
				inBubble(t, trigger, func(b *bench) { b.cutOff(rand.New(rand.NewPCG(seed, 2))) })
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func (b *bench) cutOff(r *rand.Rand) {
	var mu sync.Mutex
	// sometimes takes long, and may not heed its context.
	sometimes := func(ctx context.Context, _ int) error {
		mu.Lock()
		d, deaf := time.Duration(r.IntN(1500))*time.Millisecond+1, r.IntN(8) == 0
		if r.IntN(3) > 0 {
			d = 1
		}
		mu.Unlock()
		if deaf {
			time.Sleep(d)
			return nil
		}
		return takes(d)(ctx)
	}
	one, two, letters := new(testkit.Sink), new(testkit.Sink), new(testkit.Sink)
	l := b.link("cut", time.Second, overlap(link.Overlap(1+r.IntN(2))), func(c *link.Config) {
		c.Inlets = []inlet.Inlet{&testkit.FaultyInlet{OnPull: sometimes, Inlet: inlet.Since("numbers", func(_ context.Context, after int) ([]int, int, error) {
			return []int{after + 1, after + 2}, after + 2, nil
		})}}
		c.Processors = []record.Processor{&testkit.FaultyProcessor{OnProcess: sometimes}, buffer.New(&buffer.Options{Count: 3})}
		c.DeadLetter = letters
		c.Lanes = []link.Lane{
			{Outlet: &testkit.FaultyOutlet{Outlet: one, OnPush: sometimes}, OnFail: link.Drop},
			{Outlet: &testkit.FaultyOutlet{Outlet: two, OnPush: sometimes}},
		}
		c.Outlets = nil
		c.Misfire = link.Misfire{Policy: link.MisfirePolicy(r.IntN(3))}
	})
	p := b.running(planner.Options{}, l)
	b.sleep(100*time.Second + half)
	ledger := b.ledger(p, l)
	assert.EqualValues(b, 100, ledger.Instants)
	_, err := p.Shutdown(b.Context())
	require.NoError(b, err)
	b.ledger(p, l)
	account := l.Account()
	require.NoError(b, account.Balance())
	assert.Zero(b, account.Lost)
	for i, sink := range []*testkit.Sink{one, two} {
		require.Positive(b, sink.Len())
		for i, r := range sink.Records() {
			require.Equal(b, i+1, r.Payload, "%v %v", ledger, account)
		}
		assert.EqualValues(b, account.Pulled, int64(sink.Len())+account.Lanes[i].Abandoned+account.Abandoned)
	}
	assert.Zero(b, letters.Len())
	assert.Positive(b, ledger.Ran+ledger.Cancelled)
}

// A call that does not heed its context is waited for.
func TestCancelPreviousInVain(t *testing.T) {
	onBoth(t, func(b *bench) {
		deaf := func(context.Context) error {
			time.Sleep(35 * tenth)
			return nil
		}
		l, in := b.probe("deaf", time.Second, first(1, deaf), overlap(link.CancelPrevious))
		p := b.running(planner.Options{}, l)
		b.sleep(5*time.Second + half)
		assert.Equal(b, []time.Duration{time.Second, 4 * time.Second, 5 * time.Second}, in.dues(record.Scheduled))
		assert.Equal(b, planner.Ledger{Instants: 5, Ran: 3, Skipped: 2}, b.ledger(p, l), "it has not failed")
		b.shut(p)
		assert.EqualValues(b, 3, l.Account().Lanes[0].Delivered)
	})
}

// The first transfer and forced ones are cut off too, and a forced one that waits lets
// only one instant go ahead.
func TestCancelPreviousAndOthers(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("slow", time.Second, first(3, takes(time.Hour)), overlap(link.CancelPrevious),
			func(c *link.Config) { c.SkipImmediate = false })
		p := b.running(planner.Options{}, l)
		b.sleep(half)
		report := make(chan link.Report)
		go func() {
			reports, err := p.Force(b.Context(), l) // waits for the first transfer, and for one instant
			assert.ErrorIs(b, err, link.ErrCancelled)
			report <- reports[0]
		}()
		assert.Equal(b, link.Cancelled, (<-report).Outcome)
		assert.Equal(b, 3*time.Second, time.Since(b.began))
		b.sleep(half)
		assert.Equal(b, []pull{
			{0, 0, record.Immediate},
			{time.Second, time.Second, record.Scheduled},
			{2 * time.Second, 2 * time.Second, record.Forced},
			{3 * time.Second, 3 * time.Second, record.Scheduled},
		}, in.all())
		assert.Equal(b, planner.Ledger{Instants: 3, Ran: 1, Cancelled: 1, Skipped: 1, Immediate: 1, Forced: 1}, b.ledger(p, l))
	})
}

// A flush is no overlap.
func TestCancelPreviousLeavesAFlush(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := &testSink{do: takes(6 * tenth)}
		l, _ := b.probe("held", time.Second, nil, overlap(link.CancelPrevious), func(c *link.Config) {
			c.Processors = []record.Processor{buffer.New(&buffer.Options{Count: 1000, MaxAge: 7 * tenth})}
			c.Outlets = []outlet.Outlet{sink}
		})
		p := b.running(planner.Options{}, l) // pulled at 1 s, released at 1.7 s, pushed until 2.3 s
		b.sleep(10 * time.Second)
		assert.Empty(b, b.log.lines())
		ledger := b.ledger(p, l)
		assert.Zero(b, ledger.Cancelled+ledger.Skipped, "%v", ledger)
		assert.Positive(b, ledger.Flushed)
		b.shut(p)
	})
}

// A stop goes as usual after a transfer was cut off.
func TestCancelPreviousAndStop(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, _ := b.probe("cut", time.Second, nil, overlap(link.CancelPrevious), func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: sink, OnPush: testkit.Flaky(1, testkit.Slow(time.Hour))}}
		})
		p := b.running(planner.Options{}, l)
		b.sleep(15 * tenth)
		l.Cancel()
		l.Cancel() // nothing is left to cancel
		b.sleep(0)
		assert.Equal(b, planner.Ledger{Instants: 1, Cancelled: 1}, b.ledger(p, l))
		assert.Zero(b, sink.Len())
		b.shut(p)
		assert.Equal(b, 1, sink.Len(), "the stop offers what was cut off")
		l.Cancel() // a link that is not running
		require.NoError(b, l.Start(b.Context()))
		_, err := l.Transfer(b.Context(), link.Tick{})
		require.NoError(b, err)
		_, err = l.Shutdown(b.Context())
		require.NoError(b, err)
		assert.Equal(b, 2, sink.Len())
	})
}
