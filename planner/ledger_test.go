package planner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// Whatever happens to links and planner, every instant has exactly one outcome, as
// many have come as the schedule says, and every record is accounted for.
func TestEveryInstantHasOneOutcome(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for name, trigger := range triggers {
		t.Run(name, func(t *testing.T) {
			for seed := range rounds {
				inBubble(t, trigger, func(b *bench) { b.load(rand.New(rand.NewPCG(uint64(seed), 1))) })
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// crowd is one link of a random load.
type crowd struct {
	*link.Link
	in    *probe
	every time.Duration
	added time.Duration // when its schedule began
}

func (b *bench) load(r *rand.Rand) {
	ms := func(low, high int) time.Duration { return time.Duration(low+r.IntN(high-low)) * time.Millisecond }
	some := func(n int) bool { return r.IntN(n) == 0 }

	made := 0
	make := func() *crowd {
		c := &crowd{every: ms(20, 3000), added: time.Since(b.began)}
		slow, faults := ms(1, 4000), r.IntN(12)
		fault := func(ctx context.Context) error {
			switch faults {
			case 0:
				return errors.New("broken")
			case 1:
				panic("boom")
			case 2:
				runtime.Goexit()
			case 3, 4, 5:
				return takes(slow)(ctx)
			}
			return nil
		}
		aged, flaky, two := some(4), some(4), some(3)
		made++
		c.Link, c.in = b.probe(fmt.Sprint("link ", made), c.every, fault, func(cfg *link.Config) {
			cfg.SkipImmediate = some(2)
			cfg.Overlap = link.Overlap(r.IntN(3))
			switch r.IntN(4) {
			case 0:
				cfg.Misfire = link.Misfire{Policy: link.RunAll, Max: 1 + r.IntN(4), Grace: ms(0, 2) * 1000}
			case 1:
				cfg.Misfire = link.Misfire{Policy: link.SkipLate}
			}
			if aged {
				cfg.Processors = []record.Processor{buffer.New(&buffer.Options{Count: 5, MaxAge: ms(10, 2000)})}
			}
			if two {
				cfg.Outlets = append(cfg.Outlets, &testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Slow(ms(1, 2000))})
			}
			if flaky {
				cfg.Outlets = append(cfg.Outlets, &testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Every(3, testkit.Fail(errors.New("503")))})
			}
		})
		return c
	}
	var crowds []*crowd
	var links []*link.Link
	for range 1 + r.IntN(12) {
		c := make()
		crowds, links = append(crowds, c), append(links, c.Link)
	}
	p := b.running(planner.Options{
		Concurrency:     1 + r.IntN(6),
		ShutdownTimeout: time.Second,
		OnError:         func(context.Context, *link.Error) error { return nil },
	}, links...)

	// sums checks the ledgers of all links at this moment.
	sums := func() {
		now := time.Since(b.began)
		for _, c := range crowds {
			ledger := b.ledger(p, c.Link)
			most := int64((now - c.added) / c.every)
			assert.LessOrEqual(b, ledger.Instants, most, "%s: %v", c.Name(), ledger)
			assert.GreaterOrEqual(b, ledger.Instants, most-1, "%s: %v", c.Name(), ledger) // one may be on its way
			assert.LessOrEqual(b, ledger.Open, int64(8), "%s: %v", c.Name(), ledger)
			assert.LessOrEqual(b, c.in.overlap(), 1)
			require.NoError(b, c.Account().Balance())
		}
	}
	pick := func() *crowd { return crowds[r.IntN(len(crowds))] }
	for range 40 {
		time.Sleep(ms(1, 700) + time.Duration(r.IntN(1000)))
		switch r.IntN(8) {
		case 0:
			require.NoError(b, p.Pause(pick().Link))
		case 1:
			require.NoError(b, p.Resume(pick().Link))
		case 2:
			require.NoError(b, p.Pause())
		case 3:
			require.NoError(b, p.Resume())
		case 4:
			c := make()
			require.NoError(b, p.Add(b.Context(), c.Link))
			crowds = append(crowds, c)
		case 5:
			if len(crowds) > 1 {
				i := r.IntN(len(crowds))
				_ = p.Remove(b.Context(), crowds[i].Link)
				crowds = append(crowds[:i:i], crowds[i+1:]...)
			}
		case 6:
			ctx, cancel := context.WithTimeout(b.Context(), ms(1, 3000))
			l := pick().Link
			go func() {
				defer cancel()
				_, _ = p.Force(ctx, l)
			}()
		case 7:
			sums()
		}
	}
	sums()
	stopped := time.Since(b.began)
	report, _ := p.Shutdown(b.Context())
	assert.Len(b, report.Links, len(crowds))
	for _, c := range crowds {
		ledger := b.ledger(p, c.Link)
		assert.Zero(b, ledger.Open)
		assert.GreaterOrEqual(b, ledger.Instants, int64((stopped-c.added)/c.every)-1)
		require.NoError(b, c.Account().Balance())
		made := int64(len(c.in.all()))
		// Each transfer that pulled has a place in the ledger.
		assert.LessOrEqual(b, made, ledger.Ran+ledger.Failed+ledger.Cancelled+ledger.Interrupted+ledger.Immediate+ledger.Forced+1, "%s: %v", c.Name(), ledger)
	}
}

func TestLedgerString(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "instants 0", planner.Ledger{}.String())
	assert.Equal(t, "instants 9 or more ran 1 missed 8 flushed 2", planner.Ledger{Instants: 9, Ran: 1, Missed: 8, AtLeast: true, Flushed: 2}.String())
	assert.Equal(t, "instants 45 ran 1 failed 2 blocked 3 coalesced 4 skipped 5 paused 6 missed 7 interrupted 8 cancelled 9", planner.Ledger{
		Instants: 45, Ran: 1, Failed: 2, Blocked: 3, Coalesced: 4, Skipped: 5, Paused: 6, Missed: 7, Interrupted: 8, Cancelled: 9,
	}.String())
}

func TestBlocked(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("full", time.Second, nil, skipImmediate, func(c *link.Config) {
			c.Lanes = []link.Lane{{Outlet: &testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: testkit.Fail(errors.New("503"))}, Pending: 2}}
			c.Outlets = nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(5 * time.Second)
		assert.Len(b, in.all(), 2)
		ledger := b.ledger(p, l)
		assert.EqualValues(b, 5, ledger.Instants)
		assert.EqualValues(b, 5, ledger.Failed+ledger.Blocked)
		_, _ = p.Shutdown(b.Context())
	})
}

// An instant before the Due of a forced transfer is covered by it.
func TestCoalesced(t *testing.T) {
	t.Parallel()
	m := new(manual)
	inBubble(t, func() planner.Trigger { return m }, func(b *bench) {
		l, in := b.probe("one", time.Second, nil, skipImmediate)
		p := b.running(planner.Options{}, l)
		b.sleep(time.Second + half)
		_, err := p.Force(b.Context(), l)
		require.NoError(b, err)
		m.emit(planner.Tick{ID: "one", Due: b.began.Add(time.Second)}) // a trigger that is late
		b.sleep(0)
		assert.Len(b, in.all(), 1)
		assert.Equal(b, planner.Ledger{Instants: 1, Coalesced: 1, Forced: 1}, b.ledger(p, l))
	})
}
