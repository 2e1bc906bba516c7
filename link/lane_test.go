package link_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// A lane is strictly in order: what failed is offered first, once a transfer, and
// nothing passes it.
func TestLaneOrder(t *testing.T) {
	out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
		if n == 2 || n == 3 || n == 5 {
			return errDown
		}
		return nil
	}}
	l := started(t, link.Config{Inlets: inlets(counting("n", 4, 12)), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(2)}})
	want := []struct {
		offers  [][]any
		pending int64
	}{
		{lists(list(1, 2), list(3, 4)), 2},
		{lists(list(3, 4)), 6},
		{lists(list(3, 4), list(5, 6)), 8},
		{lists(list(5, 6), list(7, 8), list(9, 10), list(11, 12)), 0},
	}
	at := 0
	for i, w := range want {
		_, err := transfer(t, l)
		assert.Equal(t, i < 3, errors.Is(err, errDown))
		assert.Equal(t, w.offers, out.got()[at:], i)
		at += len(w.offers)
		assert.Equal(t, w.pending, l.Account().Lanes[0].Pending)
	}
	var numbers, attempts []any
	for _, o := range out.all() {
		numbers = append(numbers, o.update.Number)
		attempts = append(attempts, int(o.update.Attempt))
	}
	assert.Equal(t, list(int64(0), int64(0), int64(0), int64(0), int64(1), int64(1), int64(1), int64(2), int64(2)), numbers,
		"records keep the update they were handed over with")
	assert.Equal(t, list(1, 1, 2, 3, 1, 2, 1, 1, 1), attempts)
	assert.Equal(t, values(1, 12), out.accepted())
}

func TestLaneFailure(t *testing.T) {
	out := &taker{name: "out", script: failing(1, errDown)}
	l := started(t, link.Config{Name: "l", Inlets: inlets(counting("n", 3, 3)), Outlets: outlets(out)})
	transferred := func(want link.Outcome) error {
		r, err := transfer(t, l)
		assert.Equal(t, want, r.Outcome)
		return err
	}
	err := transferred(link.Failed)
	require.ErrorIs(t, err, errDown)
	e := failure(t, err)
	assert.Equal(t, link.Error{Op: link.OpPush, Link: "l", Node: "out", Number: 0, Records: 3, Kept: true, Err: errDown}, *e)
	assert.False(t, e.Fatal())
	assert.EqualError(t, e, "link l: push out: 503 (3 kept)")
	require.NoError(t, transferred(link.Ran))
}

// Of a batch that was accepted in part only the rest is kept.
func TestLanePartial(t *testing.T) {
	refuse := func(indices ...int) error {
		var f record.Failures
		for _, i := range indices {
			f.Add(i, errDown)
		}
		return f.Err()
	}
	out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
		switch n {
		case 1:
			return refuse(1, 3)
		case 2:
			return fmt.Errorf("wrapped: %w", refuse(1))
		}
		return nil
	}}
	l := started(t, link.Config{Inlets: inlets(counting("n", 4, 8)), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(4)}})
	r, err := transfer(t, l)
	e := failure(t, err)
	assert.Equal(t, 2, e.Records)
	assert.ErrorIs(t, err, errDown)
	assert.Equal(t, int64(2), r.Lanes[0].Delivered)
	assert.Equal(t, int64(2), r.Lanes[0].Pending)
	_, err = transfer(t, l)
	assert.Equal(t, 1, failure(t, err).Records)
	transferred(t, l)
	assert.Equal(t, lists(list(1, 2, 3, 4), list(2, 4), list(4), list(5, 6, 7, 8)), out.got())
	assert.Equal(t, list(1, 3, 2, 4, 5, 6, 7, 8), out.accepted())
	assert.EqualValues(t, 3, out.all()[2].update.Attempt)
}

// A Partial that cannot be right, and one that is not alone, accept nothing.
func TestLaneWrongPartial(t *testing.T) {
	partial := func(failed map[int]error) error { return &record.Partial{Failed: failed} }
	tests := map[string]struct {
		err      error
		contains string
	}{
		"empty":              {partial(nil), "without an index"},
		"wrapped and empty":  {fmt.Errorf("wrapped: %w", partial(nil)), "without an index"},
		"below 0":            {partial(map[int]error{-1: errDown, 0: errDown}), "index -1"},
		"out of range":       {partial(map[int]error{0: errDown, 3: errDown}), "index 3"},
		"no cause":           {partial(map[int]error{1: nil}), "nil error"},
		"joined with others": {errors.Join(partial(map[int]error{1: errDown}), errors.New("other")), "other"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out", script: failing(1, tt.err)}
			l := started(t, link.Config{Inlets: inlets(counting("n", 3, 3)), Outlets: outlets(out)})
			_, err := transfer(t, l)
			e := failure(t, err)
			assert.Equal(t, 3, e.Records)
			assert.True(t, e.Kept)
			assert.ErrorContains(t, err, tt.contains)
			assert.ErrorContains(t, err, "out")
			transferred(t, l)
			assert.Equal(t, lists(values(1, 3), values(1, 3)), out.got())
		})
	}
}

// What failed for good is kept too: only the handlers differ.
func TestLanePermanent(t *testing.T) {
	broken := record.Permanent(errors.New("no such table"))
	var f record.Failures
	f.Add(0, errDown)
	f.Add(1, broken)
	for _, answer := range []error{broken, fmt.Errorf("wrapped: %w", broken), f.Err()} {
		out := &taker{name: "out", script: failing(3, answer)}
		l := started(t, link.Config{Inlets: inlets(counting("n", 2, 2)), Outlets: outlets(out)})
		for range 3 {
			_, err := transfer(t, l)
			e := failure(t, err)
			assert.True(t, e.Kept)
			assert.Equal(t, 2, e.Records)
			assert.True(t, e.Fatal())
		}
		transferred(t, l)
		assert.Len(t, out.got(), 4, "it is offered once a transfer")
		assert.Equal(t, list(1, 2), out.accepted())
	}
}

func TestLanePanics(t *testing.T) {
	tests := map[string]func(){
		"panic":         func() { panic("boom") },
		"panic of nil":  func() { panic(nil) },
		"runtime error": func() { _ = []int{}[len(t.Name())] },
		"Goexit":        runtime.Goexit,
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
					if n == 1 {
						f()
					}
					return nil
				}}
				var failed []*link.Error
				l := started(t, link.Config{
					Inlets: inlets(counting("n", 2, 2)), Outlets: outlets(out),
					OnError: func(_ context.Context, err *link.Error) error { failed = append(failed, err); return nil },
				})
				go l.Transfer(t.Context(), link.Tick{})
				synctest.Wait()
				require.Len(t, failed, 1)
				p, ok := errors.AsType[*link.PanicError](failed[0])
				require.True(t, ok)
				assert.Equal(t, name == "Goexit", p.Value == nil)
				assert.Contains(t, string(p.Stack), "lane_test.go")
				assert.True(t, failed[0].Fatal())
				assert.True(t, failed[0].Kept)
				transferred(t, l)
				assert.Equal(t, list(1, 2), out.accepted())
			})
		})
	}
}

// After RetryAfter the lane offers nothing before the pause is over; of several
// causes the longest pause counts. Other lanes go on.
func TestLaneRetryAfter(t *testing.T) {
	var f record.Failures
	f.Add(0, record.RetryAfter(time.Second, errDown))
	f.Add(1, record.RetryAfter(5*time.Second, errDown))
	f.Add(2, errDown)
	tests := map[string]struct {
		err    error
		offers []int // seconds
	}{
		"plain":              {record.RetryAfter(5*time.Second, errDown), []int{0, 5, 6}},
		"a part of a second": {record.RetryAfter(4100*time.Millisecond, errDown), []int{0, 5, 6}},
		"wrapped":            {fmt.Errorf("wrapped: %w", record.RetryAfter(5*time.Second, errDown)), []int{0, 5, 6}},
		"twice":              {record.RetryAfter(time.Second, record.RetryAfter(5*time.Second, errDown)), []int{0, 5, 6}},
		"permanent":          {record.Permanent(record.RetryAfter(5*time.Second, errDown)), []int{0, 5, 6}},
		"of single records":  {f.Err(), []int{0, 5, 6}},
		"no pause":           {record.RetryAfter(-time.Second, errDown), []int{0, 1, 2, 3, 4, 5, 6}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, other := &taker{name: "out", script: failing(1, tt.err)}, &taker{name: "other"}
				l := started(t, link.Config{Inlets: inlets(counting("n", 3, 100)), Outlets: outlets(out, other)})
				start := time.Now()
				for range 7 {
					transfer(t, l)
					assert.True(t, l.Ready())
					time.Sleep(time.Second)
				}
				var at []int
				for _, o := range out.all() {
					if at == nil || o.at.Sub(start) != time.Duration(at[len(at)-1])*time.Second {
						at = append(at, int(o.at.Sub(start)/time.Second))
					}
				}
				assert.Equal(t, tt.offers, at)
				assert.ElementsMatch(t, values(1, 21), out.accepted())
				assert.Equal(t, values(1, 21), other.accepted())
			})
		})
	}
}

// After Timeout the context ends and the lane waits: its answer counts, and no
// other push begins meanwhile.
func TestLaneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []time.Duration
		out := &taker{name: "out", script: func(ctx context.Context, n int, _ []record.Record) error {
			began := time.Now()
			<-ctx.Done()
			ended = append(ended, time.Since(began))
			switch n {
			case 1:
				return ctx.Err()
			case 2: // it takes no notice
				time.Sleep(10 * time.Second)
				return errDown
			}
			return nil // it was done in the end
		}}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 1)), Lanes: []link.Lane{{Outlet: out, Timeout: 2 * time.Second}}})
		r, err := transfer(t, l)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2*time.Second, r.Took)
		assert.False(t, failure(t, err).Fatal())

		go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		time.Sleep(5 * time.Second)
		assert.False(t, l.Ready())
		assert.Equal(t, []string{"out"}, l.Busy())
		go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		time.Sleep(10 * time.Second)
		assert.True(t, l.Ready())
		transferred(t, l)
		assert.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second}, ended)
		assert.Equal(t, 1, out.most)
		assert.Equal(t, list(1), out.accepted())
	})
}

func TestLaneWithoutTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{0, -1} {
		out := &taker{name: "out", script: func(ctx context.Context, _ int, _ []record.Record) error {
			if _, ok := ctx.Deadline(); ok {
				return errors.New("a deadline")
			}
			return nil
		}}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 1)), Lanes: []link.Lane{{Outlet: out, Timeout: timeout}}})
		transferred(t, l)
	}
}

// A long queue keeps its order.
func TestLaneLongQueue(t *testing.T) {
	down := true
	out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
		if down || n%100 == 0 {
			return errDown
		}
		return nil
	}}
	l := started(t, link.Config{Inlets: inlets(counting("n", 10, 3000)), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(3)}})
	for i := range 330 {
		down = i < 50 || i > 100 && i < 200
		transfer(t, l)
	}
	assert.Equal(t, values(1, 3000), out.accepted())
}

func TestLaneRetryAfterAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &taker{name: "out", script: failing(1, record.RetryAfter(time.Minute, errDown))}
		l := started(t, link.Config{Inlets: inlets(counting("n", 2, 2)), Outlets: outlets(out)})
		transfer(t, l)
		began := time.Now()
		r, err := shut(t, l)
		require.NoError(t, err)
		assert.Zero(t, time.Since(began))
		assert.Equal(t, int64(2), r.Lanes[0].Delivered, "a stop waits for no pause, and gives nothing up because of one")
		assert.Len(t, out.got(), 2)
	})
}
