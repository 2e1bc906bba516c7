package link_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

func TestTransferOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		after := func(d time.Duration, values ...any) func(context.Context, int) ([]record.Record, error) {
			return func(context.Context, int) ([]record.Record, error) {
				time.Sleep(d)
				return of(values...), nil
			}
		}
		step := func(name string, p record.Processor) record.Processor {
			return record.ProcessorFunc(func(ctx context.Context, records []record.Record) ([]record.Record, error) {
				steps = append(steps, fmt.Sprint(name, payloads(records)))
				return p.Process(ctx, records)
			})
		}
		a, b := &taker{name: "a"}, &taker{name: "b"}
		l := started(t, link.Config{
			Inlets: inlets(
				&feed{name: "slowest", script: after(3*time.Second, 1, 2, 3)},
				&feed{name: "fastest", script: after(0, 4, 5)},
				&feed{name: "between", script: after(time.Second, 6)},
			),
			Processors: []record.Processor{
				step("tenfold", record.Map(func(n int) (int, error) { return 10 * n, nil })),
				step("less", record.Filter(func(n int) bool { return n != 50 })),
			},
			Groupers: []record.Grouper{record.By(func(n int) int { return n % 20 }), record.Chunk(2)},
			Outlets:  outlets(a, b),
		})
		r := transferred(t, l)

		assert.Equal(t, []string{"tenfold[1 2 3 4 5 6]", "less[10 20 30 40 50 60]"}, steps)
		batches := lists(list(10, 30), list(20, 40), list(60))
		assert.Equal(t, batches, a.got())
		assert.Equal(t, batches, b.got())
		assert.Equal(t, 3*time.Second, r.Took, "inlets are pulled side by side")
		assert.Equal(t, link.Ran, r.Outcome)
		assert.Equal(t, "pulled 6 filtered 1 held 0 pending 0 delivered 5 dropped 0 balanced", r.Account.String())
		var from []string
		for _, o := range a.all() {
			for _, r := range o.records {
				from = append(from, r.Inlet())
			}
		}
		assert.Equal(t, []string{"slowest", "slowest", "slowest", "fastest", "between"}, from)
	})
}

func TestTransferWithoutGroupersPushesOneBatch(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{Inlets: inlets(feeding("a", list(1, 2)), feeding("b", list(3))), Outlets: outlets(out)})
	transferred(t, l)
	assert.Equal(t, lists(list(1, 2, 3)), out.got())
}

func TestTransferOfNothing(t *testing.T) {
	nothing := feeding("in", list(), list(1, 2), list())
	none := record.Filter(func(int) bool { return false })
	tests := map[string]struct {
		config link.Config
		pushes int
	}{
		"an inlet without records":              {link.Config{}, 1},
		"everything is filtered":                {link.Config{Processors: []record.Processor{none}}, 0},
		"with a grouper":                        {link.Config{Processors: []record.Processor{none}, Groupers: []record.Grouper{record.Chunk(1)}}, 0},
		"PushEmpty":                             {link.Config{PushEmpty: true}, 3},
		"PushEmpty and everything is filtered":  {link.Config{PushEmpty: true, Processors: []record.Processor{none}}, 3},
		"PushEmpty with a grouper":              {link.Config{PushEmpty: true, Processors: []record.Processor{none}, Groupers: []record.Grouper{record.Chunk(1)}}, 3},
		"PushEmpty and a lane that filters all": {link.Config{PushEmpty: true, Lanes: []link.Lane{{Processors: []record.Processor{none}}}}, 3},
		"a lane that filters all":               {link.Config{Lanes: []link.Lane{{Processors: []record.Processor{none}}}}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out"}
			c := tt.config
			c.Inlets = inlets(&feed{name: "in", script: nothing.script})
			if c.Lanes == nil {
				c.Outlets = outlets(out)
			} else {
				c.Lanes[0].Outlet = out
			}
			l := started(t, c)
			for range 3 {
				transferred(t, l)
			}
			_, err := shut(t, l)
			require.NoError(t, err)
			assert.Len(t, out.got(), tt.pushes)
		})
	}
}

func TestPushEmptyThatFailsIsNotRepeated(t *testing.T) {
	out := &taker{name: "out", script: failing(1, errDown)}
	l := started(t, link.Config{PushEmpty: true, Inlets: inlets(counting("n", 1, 0)), Outlets: outlets(out)})
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	assert.Equal(t, 0, failure(t, err).Records)
	transferred(t, l)
	assert.Equal(t, lists(list(), list()), out.got())
}

func TestInletConcurrency(t *testing.T) {
	tests := []struct {
		bound int
		want  time.Duration
		most  int64
	}{
		{0, 20 * time.Millisecond, 50},
		{50, 20 * time.Millisecond, 50},
		{10, 100 * time.Millisecond, 10},
		{1, time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.bound), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, most atomic.Int64
				var all []inlet.Inlet
				for i := range 50 {
					all = append(all, &feed{name: fmt.Sprint(i), script: func(context.Context, int) ([]record.Record, error) {
						most.Store(max(most.Load(), running.Add(1)))
						defer running.Add(-1)
						time.Sleep(20 * time.Millisecond)
						return of(i), nil
					}})
				}
				out := &taker{name: "out"}
				l := started(t, link.Config{Inlets: all, InletConcurrency: tt.bound, Outlets: outlets(out)})
				began := time.Now()
				transferred(t, l)
				assert.Equal(t, tt.want, time.Since(began))
				assert.Equal(t, tt.most, most.Load())
				assert.Equal(t, lists(values(0, 49)), out.got())
			})
		})
	}
}

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

		update := func(number int64, due, from time.Time, reason record.Reason, attempt int) record.Update {
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

// What an inlet's failure looks like, and that the others are delivered.
func TestPullFails(t *testing.T) {
	tests := map[string]struct {
		script    func(context.Context, int) ([]record.Record, error)
		is        error
		contains  string
		delivered []any
	}{
		"an error": {
			func(context.Context, int) ([]record.Record, error) { return nil, errDown }, errDown, "503", list(1, 3),
		},
		"records with an error": {
			func(context.Context, int) ([]record.Record, error) { return of(2), errDown }, errDown, "503", list(1, 2, 3),
		},
		"a panic": {
			func(context.Context, int) ([]record.Record, error) { panic("boom") }, nil, "panic: boom", list(1, 3),
		},
		"a panic with an error": {
			func(context.Context, int) ([]record.Record, error) { panic(errDown) }, errDown, "panic: 503", list(1, 3),
		},
		"Goexit": {
			func(context.Context, int) ([]record.Record, error) { runtime.Goexit(); return nil, nil }, nil, "runtime.Goexit", list(1, 3),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out"}
			l := started(t, link.Config{
				Name:    "l",
				Inlets:  inlets(feeding("first", list(1)), &feed{name: "second", script: tt.script}, feeding("third", list(3))),
				Outlets: outlets(out),
			})
			r, err := transfer(t, l)
			e := failure(t, err)
			assert.Equal(t, link.OpPull, e.Op)
			assert.Equal(t, "second", e.Node)
			assert.Equal(t, int64(0), e.Number)
			assert.False(t, e.Kept)
			assert.True(t, e.Fatal())
			assert.ErrorContains(t, err, "link l: pull second: ")
			assert.ErrorContains(t, err, tt.contains)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			assert.Equal(t, link.Failed, r.Outcome)
			assert.Equal(t, err.Error(), r.Err.Error())
			assert.Equal(t, tt.delivered, out.accepted())
		})
	}
}

// The position after records that came with an error counts, the window does not.
func TestPullFailsWithRecords(t *testing.T) {
	pulls := 0
	in := inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
		if pulls++; pulls == 2 {
			return []int{after + 1}, after + 1, errDown
		}
		return []int{after + 1, after + 2}, after + 2, nil
	})
	out, store := &taker{name: "out"}, new(vault)
	l := started(t, link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(out), State: store})
	transferred(t, l)
	first := stored(t, store, "link/l").Inlets["n"]
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	second := stored(t, store, "link/l").Inlets["n"]
	assert.Equal(t, "2", string(first.Position))
	assert.Equal(t, "3", string(second.Position))
	assert.True(t, second.From.Equal(first.From), "%v %v", first, second)
	transferred(t, l)
	assert.Equal(t, list(1, 2, 3, 4, 5), out.accepted())
}

// An inlet that cannot say where it stands stands where it did.
func TestPositionPanics(t *testing.T) {
	out, store := &taker{name: "out"}, new(vault)
	in := &bashful{broker: broker{feed: feed{name: "b", script: func(_ context.Context, n int) ([]record.Record, error) { return of(n), nil }}}}
	l := started(t, link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(out), State: store})
	transferred(t, l)
	in.shy = true
	_, err := transfer(t, l)
	e := failure(t, err)
	assert.Equal(t, link.OpPull, e.Op)
	assert.ErrorContains(t, e, "Position: panic: shy")
	assert.Equal(t, list(1, 2), out.accepted())
	assert.Equal(t, "@1", string(stored(t, store, "link/l").Inlets["b"].Position))
	in.shy = false
	transferred(t, l)
	assert.Equal(t, "@3", string(stored(t, store, "link/l").Inlets["b"].Position))
}

type bashful struct {
	broker
	shy bool
}

func (s *bashful) Position() []byte {
	if s.shy {
		panic("shy")
	}
	return s.broker.Position()
}

// Of several callers one waits for another: nothing is called side by side.
func TestTransfersWaitForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		in := &feed{name: "in", script: func(_ context.Context, n int) ([]record.Record, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			return of(n), nil
		}}
		out := &taker{name: "out", script: slow(100 * time.Millisecond)}
		l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(out)})
		ends := make(chan link.Report, 3)
		for range 3 {
			go func() {
				r, err := l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
				assert.NoError(t, err)
				ends <- r
			}()
		}
		for want := range int64(3) {
			assert.Equal(t, want, (<-ends).Number)
		}
		assert.Equal(t, int64(1), most.Load())
		assert.Equal(t, 1, out.most)
		assert.Equal(t, list(1, 2, 3), out.accepted())
	})
}

func TestTransferIsRefused(t *testing.T) {
	var inside error
	in := &feed{name: "in"}
	l, err := link.New(link.Config{Inlets: inlets(in), Outlets: outlets(&taker{name: "out"})})
	require.NoError(t, err)
	r, err := l.Transfer(t.Context(), link.Tick{})
	assert.ErrorIs(t, err, link.ErrStopped)
	assert.Equal(t, link.Interrupted, r.Outcome)
	assert.Equal(t, int64(-1), r.Number)

	in.script = func(ctx context.Context, _ int) ([]record.Record, error) {
		_, inside = l.Transfer(ctx, link.Tick{})
		return nil, nil
	}
	require.NoError(t, l.Start(t.Context()))
	transferred(t, l)
	assert.ErrorIs(t, inside, link.ErrInside)
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
	_, err = l.Transfer(t.Context(), link.Tick{})
	assert.ErrorIs(t, err, link.ErrStopped)
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

// If ctx ends while others serve lanes, Transfer returns and the transfer goes on.
func TestTransferIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slower := &taker{name: "fast"}, &taker{name: "slower", script: slow(time.Minute)}
		l := started(t, link.Config{Inlets: inlets(feeding("in", list(1))), Outlets: outlets(fast, slower)})
		why := errors.New("why")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		began := time.Now()
		_, err := l.Transfer(ctx, link.Tick{})
		assert.ErrorIs(t, err, why)
		assert.Equal(t, time.Second, time.Since(began))
		assert.Equal(t, list(1), fast.accepted())
		time.Sleep(time.Minute)
		assert.Equal(t, list(1), slower.accepted())
	})
}
