package planner_test

import (
	"context"
	"errors"
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

func buffered(age time.Duration, sink outlet.Outlet) func(*link.Config) {
	return func(c *link.Config) {
		c.Processors = []record.Processor{buffer.New(&buffer.Options{Count: 1000, MaxAge: age})}
		c.Outlets = []outlet.Outlet{sink}
	}
}

// A buffer's age makes a transfer when none is due.
func TestFlush(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, in := b.probe("buffered", time.Hour, nil, buffered(10*time.Second, sink))
		var reports []link.Report
		p := b.running(planner.Options{OnReport: func(_ context.Context, r link.Report) { reports = append(reports, r) }}, l)
		b.sleep(9 * time.Second)
		assert.Zero(b, sink.Len())
		b.sleep(2 * time.Second)
		assert.Equal(b, 1, sink.Len())
		assert.Len(b, in.all(), 1, "it pulls nothing")
		require.Len(b, reports, 2)
		assert.Equal(b, record.Flush, reports[1].Reason)
		assert.Equal(b, 10*time.Second, b.since(reports[1].Due), "its Due is the wake")
		assert.Equal(b, planner.Ledger{Immediate: 1, Flushed: 1}, b.ledger(p, l))
		b.sleep(2*time.Hour - time.Minute)
		assert.Equal(b, planner.Ledger{Instants: 1, Ran: 1, Immediate: 1, Flushed: 2}, b.ledger(p, l))
		assert.Equal(b, 2, sink.Len())
		b.shut(p)
		assert.Equal(b, int64(2), b.ledger(p, l).Flushed, "what a stop releases is no such transfer")
	})
}

// A flush waits for a running transfer, which releases by itself, and is not made
// then.
func TestFlushWaits(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, _ := b.probe("buffered", 8*time.Second, takes(4*time.Second), buffered(6*time.Second, sink))
		p := b.running(planner.Options{}, l)
		b.sleep(11 * time.Second) // released at 4+6 s, in the middle of a transfer
		assert.Zero(b, sink.Len())
		b.sleep(2 * time.Second)
		assert.Equal(b, 2, sink.Len(), "at the end of the transfer, all of it")
		assert.Equal(b, planner.Ledger{Instants: 1, Ran: 1, Immediate: 1}, b.ledger(p, l))
	})
}

// A running flush is no overlap: what is due meanwhile waits for it.
func TestFlushIsNoOverlap(t *testing.T) {
	onBoth(t, func(b *bench) {
		slow := &testSink{do: takes(3 * time.Second)}
		l, in := b.probe("buffered", 10*time.Second, nil, skipImmediate, buffered(9*time.Second, slow))
		p := b.running(planner.Options{}, l)
		b.sleep(15 * time.Second)
		require.Len(b, in.all(), 1)
		// Held at 10 s, flushed from 19 s to 22 s; 20 s waits until then.
		b.sleep(8 * time.Second)
		assert.Equal(b, []pull{
			{10 * time.Second, 10 * time.Second, record.Scheduled},
			{22 * time.Second, 20 * time.Second, record.Scheduled},
		}, in.all())
		assert.Equal(b, planner.Ledger{Instants: 2, Ran: 2, Flushed: 1}, b.ledger(p, l))
	})
}

// Flushes go on while the schedule is paused.
func TestFlushWhilePaused(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, _ := b.probe("buffered", time.Hour, nil, buffered(10*time.Second, sink))
		p := b.running(planner.Options{}, l)
		b.sleep(time.Second)
		require.NoError(b, p.Pause())
		b.sleep(10 * time.Second)
		assert.Equal(b, 1, sink.Len())
	})
}

// stubborn is a holder that does not release.
type stubborn struct{ asked int }

func (s *stubborn) Process(context.Context, []record.Record) ([]record.Record, error) {
	s.asked++
	return nil, errors.New("not yet")
}

func (s *stubborn) Holding() record.Holding {
	return record.Holding{Wake: time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)}
}
func (*stubborn) Flush() {}

// A holder that does not release what it wants to release is not asked all the time.
func TestFlushInVain(t *testing.T) {
	onBoth(t, func(b *bench) {
		s := new(stubborn)
		l, _ := b.probe("stubborn", 24*time.Hour, nil, func(c *link.Config) { c.Processors = []record.Processor{s} })
		p := b.running(planner.Options{OnError: func(context.Context, *link.Error) error { return nil }}, l)
		b.sleep(time.Hour)
		assert.Greater(b, s.asked, 30, "it is tried again")
		assert.Less(b, s.asked, 100, "ever more rarely, up to a minute")
		_, err := p.Shutdown(b.Context())
		require.NoError(b, err)
	})
}

// What buffers hold is released at the end, and the report says so.
func TestShutdownReleases(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		laneSink := new(testkit.Sink)
		l := b.link("buffered", time.Second, func(c *link.Config) {
			c.Inlets = []inlet.Inlet{&probe{name: "in", began: b.began}}
			c.Processors = []record.Processor{buffer.New(&buffer.Options{Count: 1000})}
			c.Lanes = []link.Lane{{Outlet: sink}, {Outlet: laneSink, Processors: []record.Processor{buffer.New(&buffer.Options{Count: 1000})}}}
			c.Outlets = nil
		})
		p := b.running(planner.Options{}, l)
		b.sleep(4 * time.Second)
		assert.Zero(b, sink.Len())
		report := b.shut(p)
		assert.Equal(b, 5, sink.Len())
		assert.Equal(b, 5, laneSink.Len())
		require.Len(b, report.Links, 1)
		assert.Equal(b, "buffered", report.Links[0].Link)
		assert.Equal(b, int64(5), report.Links[0].Lanes[1].Delivered)
		require.NoError(b, l.Account().Balance())
	})
}
