package link_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// Every inlet has a window of its own; one that fails keeps its.
func TestUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := feeding("good", list(1), list(2), list(3), list(4))
		bad := &feed{name: "bad", script: func(_ context.Context, n int) ([]record.Record, error) {
			if n == 2 {
				return nil, errDown
			}
			return nil, nil
		}}
		out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
			if n == 3 { // the third transfer's
				return errDown
			}
			return nil
		}}
		l := started(t, link.Config{Name: "name", Tags: []string{"a", "b"}, Inlets: inlets(good, bad), Outlets: outlets(out)})
		start := time.Now()
		at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

		l.Transfer(t.Context(), link.Tick{Reason: record.Immediate})
		time.Sleep(1500 * time.Millisecond)
		l.Transfer(t.Context(), link.Tick{Due: at(1), Reason: record.Scheduled})
		time.Sleep(time.Second)
		l.Transfer(t.Context(), link.Tick{Due: at(2), Reason: record.Scheduled})
		time.Sleep(500 * time.Millisecond)
		l.Transfer(t.Context(), link.Tick{Reason: record.Forced})

		update := func(number int64, due, from time.Time, reason record.Reason, attempt int32) record.Update {
			return record.Update{Link: "name", Tags: []string{"a", "b"}, Number: number, Due: due, From: from, Reason: reason, Attempt: attempt}
		}
		var never time.Time
		equal(t, []record.Update{
			update(0, at(0), never, record.Immediate, 0),
			update(1, at(1), at(0), record.Scheduled, 0),
			update(2, at(2), at(1), record.Scheduled, 0),
			update(3, at(3), at(2), record.Forced, 0),
		}, good.all())
		equal(t, []record.Update{
			update(0, at(0), never, record.Immediate, 0),
			update(1, at(1), at(0), record.Scheduled, 0), // fails
			update(2, at(2), at(0), record.Scheduled, 0),
			update(3, at(3), at(2), record.Forced, 0),
		}, bad.all())
		var pushed []record.Update
		for _, o := range out.all() {
			pushed = append(pushed, o.update)
		}
		equal(t, []record.Update{
			update(0, at(0), never, record.Immediate, 1),
			update(1, at(1), never, record.Scheduled, 1),
			update(2, at(2), never, record.Scheduled, 1), // fails
			update(2, at(2), never, record.Scheduled, 2),
			update(3, at(3), never, record.Forced, 1),
		}, pushed)
		assert.Equal(t, "a.b.2", pushed[3].String())
	})
}

// equal compares updates, and their times as instants.
func equal(t *testing.T, want, got []record.Update) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		assert.True(t, want[i].Due.Equal(got[i].Due), "%d: due %v, want %v", i, got[i].Due, want[i].Due)
		assert.True(t, want[i].From.Equal(got[i].From), "%d: from %v, want %v", i, got[i].From, want[i].From)
		w, g := want[i], got[i]
		w.Due, w.From, g.Due, g.From = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		assert.Equal(t, w, g, i)
	}
}

// Dues never go back: what is scheduled and not later is covered already, all else
// is raised.
func TestDues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
		in := &feed{name: "in"}
		var reported []int64
		l := started(t, link.Config{
			Inlets: inlets(in), Outlets: outlets(&taker{name: "out"}),
			OnReport: func(_ context.Context, r link.Report) { reported = append(reported, r.Number) },
		})
		steps := []struct {
			tick    link.Tick
			due     time.Time
			outcome link.Outcome
			number  int64
		}{
			{link.Tick{Due: at(5), Reason: record.Scheduled}, at(5), link.Ran, 0},
			{link.Tick{Due: at(3), Reason: record.Scheduled}, at(3), link.Coalesced, -1},
			{link.Tick{Due: at(5), Reason: record.Scheduled}, at(5), link.Coalesced, -1},
			{link.Tick{Reason: record.Forced}, at(5), link.Ran, 1},
			{link.Tick{Reason: record.Immediate}, at(5), link.Ran, 2},
			{link.Tick{Due: at(2), Reason: record.Flush}, at(5), link.Ran, 3},
			{link.Tick{Due: at(8), Reason: record.Flush}, at(8), link.Ran, 4},
			{link.Tick{Due: at(7), Reason: record.Scheduled}, at(7), link.Ran, 5}, // no pull has covered it
			{link.Tick{Due: at(8), Reason: record.Scheduled}, at(8), link.Ran, 6},
		}
		var numbers []int64
		for i, s := range steps {
			tr := l.Begin(s.tick)
			r, err := tr.Wait(t.Context())
			require.NoError(t, err)
			assert.Equal(t, s.outcome, r.Outcome, i)
			assert.Equal(t, s.outcome, tr.Outcome(), i)
			assert.Equal(t, s.number, r.Number, i)
			assert.True(t, s.due.Equal(r.Due), "%d: %v", i, r.Due)
			if s.number >= 0 {
				numbers = append(numbers, s.number)
			}
		}
		assert.Equal(t, numbers, reported, "a refused transfer has no report")
		last := time.Time{}
		for _, u := range in.all() {
			assert.False(t, u.Due.Before(last))
			assert.True(t, u.From.Equal(last))
			last = u.Due
		}
		assert.Len(t, in.all(), 5)
	})
}

// A clock that is set back must not be outwitted by the monotonic one: dues are
// compared, and shown, by the wall clock alone.
func TestDuesAreOfTheWallClock(t *testing.T) {
	in, out := feeding("in", list(1)), &taker{name: "out"}
	l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(out)})
	r := transferred(t, l)
	for _, due := range []time.Time{r.Due, in.all()[0].Due, out.all()[0].update.Due} {
		assert.NotContains(t, due.String(), "m=")
	}
}

func TestTickWithoutDueIsNeverCovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &feed{name: "in"}
		l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(&taker{name: "out"})})
		for range 3 { // at the same instant
			r, err := l.Transfer(t.Context(), link.Tick{})
			require.NoError(t, err)
			assert.Equal(t, link.Ran, r.Outcome)
		}
		assert.Len(t, in.all(), 3)
	})
}

// The context of nodes is neither that of Start nor that of Transfer.
func TestContextOfNodes(t *testing.T) {
	type key struct{}
	var contexts []context.Context
	note := func(ctx context.Context) { contexts = append(contexts, ctx) }
	l, err := link.New(link.Config{
		Inlets: inlets(&feed{name: "in", script: func(ctx context.Context, _ int) ([]record.Record, error) { note(ctx); return of(1), nil }}),
		Processors: []record.Processor{record.ProcessorFunc(func(ctx context.Context, r []record.Record) ([]record.Record, error) {
			note(ctx)
			return r, nil
		})},
		Groupers: []record.Grouper{record.GrouperFunc(func(ctx context.Context, b [][]record.Record) ([][]record.Record, error) {
			note(ctx)
			return b, nil
		})},
		Outlets: outlets(&taker{name: "out", script: func(ctx context.Context, _ int, _ []record.Record) error { note(ctx); return nil }}),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	require.NoError(t, l.Start(ctx))
	cancel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	l.Transfer(over, link.Tick{})
	require.Len(t, contexts, 4)
	for _, ctx := range contexts {
		assert.NoError(t, ctx.Err())
		assert.Same(t, l, link.FromContext(ctx))
		assert.Equal(t, "value", ctx.Value(key{}))
	}
	assert.Nil(t, link.FromContext(t.Context()))
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
	assert.ErrorIs(t, context.Cause(contexts[0]), link.ErrStopped)
}
