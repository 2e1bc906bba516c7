package link_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// yield yields what an outlet has accepted, through their encoded form, and then errs.
func yield(out *taker, errs ...error) iter.Seq2[link.DeadLetter, error] {
	var b strings.Builder
	for _, p := range out.accepted() {
		b.WriteString(p.(link.DeadLetter).String() + "\n")
	}
	return func(yield func(link.DeadLetter, error) bool) {
		for d, err := range link.ReadDeadLetters(strings.NewReader(b.String()), nil) {
			if !yield(d, err) {
				return
			}
		}
		for _, err := range errs {
			if !yield(link.DeadLetter{}, err) {
				return
			}
		}
	}
}

// What is replayed goes to its lane or stage with the update that it had, behind what
// waits there.
func TestReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mended := false
		refuse := func(bad func(int) bool) func(context.Context, int, []record.Record) error {
			return func(_ context.Context, _ int, records []record.Record) error {
				var f record.Failures
				for i, r := range records {
					if !mended && bad(r.Payload.(int)) {
						f.Add(i, errBad)
					}
				}
				return f.Err()
			}
		}
		stage := record.Map(func(n int) (int, error) {
			if n == 3 && !mended {
				return 0, errDown
			}
			return n, nil
		})
		laneStage := record.Map(func(n int) (int, error) {
			if n == 4 && !mended {
				return 0, errDown
			}
			return 10 * n, nil
		})
		a := &taker{name: "a", script: refuse(func(n int) bool { return n < 3 })}
		b := &taker{name: "b", script: refuse(func(n int) bool { return n == 50 })}
		dead := &taker{name: "dead"}
		l := started(t, link.Config{
			Name: "l", Inlets: inlets(counting("n", 2, 6)), DeadLetter: dead, Processors: []record.Processor{stage},
			Lanes:   []link.Lane{{Outlet: a}, {Outlet: b, Processors: []record.Processor{laneStage}}},
			OnError: func(context.Context, *link.Error) error { return nil },
		})
		for range 3 {
			transferred(t, l)
			synctest.Wait()
		}
		assert.ElementsMatch(t, []string{"1: bad", "2: bad", "3: 503", "4: 503", "50: bad"}, letters(dead))
		assert.Equal(t, list(4, 5, 6), a.accepted())
		assert.Equal(t, list(10, 20, 60), b.accepted())

		mended = true
		n, err := l.Replay(t.Context(), yield(dead, errDown), func(d link.DeadLetter) bool { return d.Record.Payload != 2 })
		assert.Equal(t, 4, n)
		require.ErrorIs(t, err, errDown, "what cannot be read is told")
		synctest.Wait()
		assert.NoError(t, l.Account().Balance())
		assert.Equal(t, list(4, 5, 6, 1), a.accepted(), "what belongs to a lane comes at once")
		assert.Equal(t, list(10, 20, 60, 50, 40), b.accepted())
		last := a.all()[len(a.all())-1].update
		assert.Equal(t, int64(0), last.Number)
		assert.Equal(t, record.Forced, last.Reason)
		transferred(t, l)
		synctest.Wait()
		assert.Equal(t, list(4, 5, 6, 1, 3), a.accepted(), "and what belongs to the link with the next transfer")
		assert.Equal(t, list(10, 20, 60, 50, 40, 30), b.accepted())
		assert.Equal(t, "pulled 6 replayed a=2 b=3 filtered 0 held 0 pending 0 delivered a=5 b=6 dead letters 3 dropped 0 balanced", l.Account().String())
	})
}

func TestReplayErrors(t *testing.T) {
	t.Parallel()
	same := func() record.Processor { return record.Map(func(n int) (int, error) { return n, nil }) }
	l, err := link.New(link.Config{
		Name: "l", Inlets: inlets(counting("n", 1, 0)), Processors: []record.Processor{same(), same()},
		Lanes: []link.Lane{{Outlet: &taker{name: "out"}}},
	})
	require.NoError(t, err)
	good := link.DeadLetter{Link: "l", Lane: "out", Stage: link.OpPush, Record: record.New(1)}
	all := func(letters ...link.DeadLetter) iter.Seq2[link.DeadLetter, error] {
		return func(yield func(link.DeadLetter, error) bool) {
			for _, d := range letters {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
	_, err = l.Replay(t.Context(), all(good), nil)
	require.ErrorIs(t, err, link.ErrStopped)
	require.NoError(t, l.Start(t.Context()))
	defer l.Shutdown(t.Context())
	for _, tt := range []struct {
		change   func(d *link.DeadLetter)
		contains string
	}{
		{func(d *link.DeadLetter) { d.Lane = "other" }, `there is no lane "other"`},
		{func(d *link.DeadLetter) { d.Stage, d.Node = link.OpProcess, "map(int)" }, `there is no stage "map(int)"`},
		{func(d *link.DeadLetter) { d.Lane, d.Stage, d.Node = "", link.OpProcess, "map(int)" }, `there are several stages "map(int)"`},
		{func(d *link.DeadLetter) { d.Lane, d.Stage, d.Node = "", link.OpGroup, "groupers" }, `there is no stage "groupers"`},
	} {
		d := good
		tt.change(&d)
		n, err := l.Replay(t.Context(), all(d, good), nil)
		assert.Equal(t, 1, n, "the others are put back")
		require.ErrorContains(t, err, tt.contains)
	}
	foreign := good
	foreign.Link = "other"
	n, err := l.Replay(t.Context(), all(foreign), nil)
	require.NoError(t, err)
	assert.Zero(t, n)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDown)
	_, err = l.Replay(ctx, all(good), nil)
	require.ErrorIs(t, err, errDown)
}

// What was replayed and is given up is lost: no inlet will return it again.
func TestReplayAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &taker{name: "out", script: func(context.Context, int, []record.Record) error { return errors.New("503") }}
		l := started(t, link.Config{Name: "l", Inlets: inlets(counting("n", 1, 1)), Processors: []record.Processor{record.Map(func(n int) (int, error) { return 0, errDown })}, Outlets: outlets(out)})
		transfer(t, l)
		letters := func(yield func(link.DeadLetter, error) bool) {
			_ = yield(link.DeadLetter{Link: "l", Lane: "out", Stage: link.OpPush, Record: record.New(7)}, nil) &&
				yield(link.DeadLetter{Link: "l", Stage: link.OpProcess, Node: "map(int)", Record: record.New(8)}, nil)
		}
		n, err := l.Replay(t.Context(), letters, nil)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		synctest.Wait()
		r, _ := shut(t, l)
		assert.Equal(t, int64(1), r.Lanes[0].Abandoned)
		assert.Equal(t, int64(1), r.Lanes[0].Lost)
		assert.Equal(t, int64(2), r.Abandoned)
		assert.Equal(t, int64(1), r.Lost)
	})
}
