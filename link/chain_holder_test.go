package link_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// How far the commit gets while a holder keeps records, pull by pull.
func TestHolderKeepsTheCommitBack(t *testing.T) {
	odd := func(n any) any { return n.(int) % 2 }
	rare := func(n any) any { return n.(int)%3 == 0 }
	tests := map[string]struct {
		holder record.Processor
		want   []string // after 1, 2, … were pulled
	}{
		"in order of arrival": {&keeper{size: 3}, []string{"", "", "3", "3", "3", "6", "6"}},
		"by key":              {&keeper{size: 2, key: odd}, []string{"", "", "1", "4", "4", "4", "5", "8"}},
		"a rare key":          {&keeper{size: 2, key: rare}, []string{"", "2", "2", "2", "2", "6"}},
		"always a rest":       {&trailing{}, []string{"", "1", "2", "3"}},
		"safe on disk":        {&trailing{durable: true}, []string{"1", "2", "3", "4"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out, store := &taker{name: "out"}, new(vault)
			l := started(t, link.Config{
				Name: "l", State: store, Inlets: inlets(counting("n", 1, 99)), Outlets: outlets(out),
				Processors: []record.Processor{tt.holder, record.Filter(func(int) bool { return true })},
			})
			for i, want := range tt.want {
				r := transferred(t, l)
				assert.Equal(t, want, position(t, store, "link/l", "n"), "after %d", i+1)
				assert.Equal(t, int64(1), r.Held+r.Handed)
			}
			_, err := shut(t, l)
			require.NoError(t, err)
			assert.ElementsMatch(t, values(1, len(tt.want)), out.accepted())
			assert.Equal(t, fmt.Sprint(len(tt.want)), position(t, store, "link/l", "n"))
		})
	}
}

// trailing keeps the newest record until the next one comes.
type trailing struct {
	durable bool
	held    []record.Record
	flush   bool
}

func (k *trailing) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	all := append(k.held, records...)
	n := max(0, len(all)-1)
	if k.flush {
		n = len(all)
	}
	k.flush = false
	k.held = append([]record.Record(nil), all[n:]...)
	return all[:n:n], nil
}

func (k *trailing) Flush() { k.flush = true }

func (k *trailing) Holding() record.Holding {
	h := record.Holding{Records: len(k.held), Span: len(k.held)}
	if k.durable {
		h.Span = 0
	}
	return h
}

// Transfers without records, behind what is held, are committed with it.
func TestHolderAndEmptyTransfers(t *testing.T) {
	store, out := new(vault), &taker{name: "out"}
	k := &keeper{name: "k", size: 2}
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 1, 1)), Outlets: outlets(out), Processors: []record.Processor{k},
	})
	for range 9 {
		transferred(t, l)
	}
	assert.Empty(t, store.puts)
	assert.Equal(t, 9, k.calls, "a holder is called with nothing too")
	k.size = 1
	_, err := l.Transfer(t.Context(), link.Tick{Reason: record.Flush})
	require.NoError(t, err)
	assert.Equal(t, list(1), out.accepted())
	assert.Equal(t, "1", position(t, store, "link/l", "n"))
	assert.Equal(t, int64(8), stored(t, store, "link/l").Number)
}

// What is held and pending is pulled again after a crash: a second link on the same
// store stands for the restart.
func TestNothingIsMissingAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store *vault
		run := func(out *taker) *link.Link {
			l, err := link.New(link.Config{
				Name: "l", State: store, Inlets: inlets(counting("n", 1, 20)), Outlets: outlets(out),
				Processors: []record.Processor{&keeper{name: "k", size: 2, key: func(n any) any { return n.(int) % 3 }}},
			})
			require.NoError(t, err)
			require.NoError(t, l.Start(t.Context()))
			return l
		}
		for crash := range 20 {
			store = new(vault)
			out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
				if n%3 == 0 {
					return errDown
				}
				return nil
			}}
			l := run(out)
			for range crash {
				l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			}
			again := &taker{name: "again"}
			next := run(again)
			for range 25 {
				transferred(t, next)
			}
			_, err := next.Shutdown(t.Context())
			require.NoError(t, err)
			seen := make(map[any]int)
			for _, n := range append(out.accepted(), again.accepted()...) {
				seen[n]++
			}
			for n := 1; n <= 20; n++ {
				assert.Positive(t, seen[n], "crash after %d: %d is missing", crash, n)
				assert.LessOrEqual(t, seen[n], 2)
			}
			l.Shutdown(t.Context())
		}
	})
}

// A holder that cannot say what it holds holds everything back.
func TestHoldingFails(t *testing.T) {
	for name, holding := range map[string]func() record.Holding{
		"a panic":          func() record.Holding { panic("boom") },
		"negative records": func() record.Holding { return record.Holding{Records: -1} },
		"negative span":    func() record.Holding { return record.Holding{Span: -1} },
	} {
		t.Run(name, func(t *testing.T) {
			k := &silent{holding: holding}
			out, store := &taker{name: "out"}, new(vault)
			l := started(t, link.Config{
				Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out), Processors: []record.Processor{k},
			})
			_, err := transfer(t, l)
			e := failure(t, err)
			assert.Equal(t, link.OpProcess, e.Op)
			assert.Equal(t, "silent", e.Node)
			assert.ErrorContains(t, e, "holding: ")
			assert.True(t, e.Fatal())
			assert.Equal(t, list(1), out.accepted(), "what came out goes on")
			assert.Empty(t, store.puts, "the commit does not")
			k.holding = func() record.Holding { return record.Holding{} }
			transferred(t, l)
			assert.Equal(t, "2", position(t, store, "link/l", "n"))
		})
	}
}

type silent struct{ holding func() record.Holding }

func (s *silent) String() string { return "silent" }

func (s *silent) Holding() record.Holding { return s.holding() }

func (s *silent) Flush() {}

func (s *silent) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	return records, nil
}

// Holders are released by age in a flush; what fails then stays held.
func TestHolderFailsInAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{name: "k", size: 9, wake: time.Minute}
		out := &taker{name: "out"}
		l := started(t, link.Config{Inlets: inlets(counting("n", 2, 2)), Outlets: outlets(out), Processors: []record.Processor{k}})
		transferred(t, l)
		time.Sleep(time.Until(l.Wake()))
		k.failing = errDown
		r, err := l.Transfer(t.Context(), link.Tick{Due: l.Wake(), Reason: record.Flush})
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, link.Failed, r.Outcome)
		assert.Equal(t, int64(2), l.Account().Held)
		r, err = l.Transfer(t.Context(), link.Tick{Due: l.Wake(), Reason: record.Flush})
		require.NoError(t, err)
		assert.Equal(t, int64(-2), r.Held)
		assert.Equal(t, lists(list(1, 2)), out.got())
	})
}

// Without a Holding, what is kept counts as filtered.
func TestProcessorThatKeepsAndDoesNotSay(t *testing.T) {
	var kept []record.Record
	p := &worker{name: "p", script: func(n int, r []record.Record) ([]record.Record, error) {
		if n == 1 {
			kept = r
			return nil, nil
		}
		return append(kept, r...), nil
	}}
	l := started(t, link.Config{Inlets: inlets(feeding("in", list(1, 2), list(3), list())), Outlets: outlets(&taker{name: "out"}), Processors: []record.Processor{p}})
	assert.Equal(t, int64(2), transferred(t, l).Filtered)
	assert.Equal(t, int64(2), transferred(t, l).Produced)
	transferred(t, l)
	assert.Len(t, p.given, 2, "a processor that holds nothing is not called with nothing")
}

// What is released bears the update of the transfer that releases it.
func TestReleasedRecordsBearTheUpdate(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out), Processors: []record.Processor{&keeper{name: "k", size: 3}}})
	for range 4 {
		transferred(t, l)
	}
	require.Len(t, out.all(), 1)
	assert.Equal(t, int64(2), out.all()[0].update.Number)
	assert.Equal(t, list(1, 2, 3), out.accepted())
}

// A record that passes one that failed before it does not let the cursor pass.
func TestWhatFailedHoldsTheCommitBackBehindLaterRecords(t *testing.T) {
	out, store := &taker{name: "out"}, new(vault)
	p := record.Each(func(_ context.Context, r record.Record) (record.Record, error) {
		if r.Payload == 1 {
			return r, errDown
		}
		return r, nil
	})
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 2, 2)), Outlets: outlets(out),
		Processors: []record.Processor{&trailing{durable: true}, p},
	})
	_, err := transfer(t, l) // 1 fails, 2 is held
	require.ErrorIs(t, err, errDown)
	r, err := shut(t, l) // 2 is released and accepted, 1 fails again
	require.ErrorIs(t, err, errDown)
	assert.Equal(t, list(2), out.accepted())
	assert.Equal(t, int64(1), r.Abandoned)
	assert.Equal(t, "", position(t, store, "link/l", "n"))
}
