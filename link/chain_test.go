package link_test

import (
	"context"
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

// worker is a processor that notes what it is given. Its script, if it has one,
// says what the n-th call, from 1, does instead of returning the records.
type worker struct {
	name   string
	script func(n int, records []record.Record) ([]record.Record, error)
	given  [][]any
}

func (w *worker) String() string { return w.name }

func (w *worker) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	w.given = append(w.given, payloads(records))
	if w.script == nil {
		return records, nil
	}
	return w.script(len(w.given), records)
}

// A processor that fails keeps its records before it, and is given them again
// before anything is pulled.
func TestProcessorFails(t *testing.T) {
	partial := func(failed map[int]error) error { return &record.Partial{Failed: failed} }
	tests := map[string]struct {
		fail     func(records []record.Record) ([]record.Record, error) // the first call
		contains string
		first    []any // what passes then
		kept     []any // what is given again
	}{
		"an error": {
			fail:     func([]record.Record) ([]record.Record, error) { return nil, errDown },
			contains: "503", kept: list(1, 2, 3),
		},
		"an error and records, which are ignored": {
			fail:     func(r []record.Record) ([]record.Record, error) { return r[:2], errDown },
			contains: "503", kept: list(1, 2, 3),
		},
		"a part": {
			fail: func(r []record.Record) ([]record.Record, error) {
				return r[:1], partial(map[int]error{1: errDown, 2: errDown})
			},
			contains: "503", first: list(1), kept: list(2, 3),
		},
		"a part, and more records than there were": {
			fail: func(r []record.Record) ([]record.Record, error) {
				return of("a", "b", "c"), fmt.Errorf("wrapped: %w", partial(map[int]error{1: errDown}))
			},
			contains: "503", first: list("a", "b", "c"), kept: list(2),
		},
		"a Partial out of range": {
			fail:     func(r []record.Record) ([]record.Record, error) { return r[:2], partial(map[int]error{3: errDown}) },
			contains: "index 3", kept: list(1, 2, 3),
		},
		"an empty Partial": {
			fail:     func(r []record.Record) ([]record.Record, error) { return r, partial(nil) },
			contains: "without an index", kept: list(1, 2, 3),
		},
		"a Partial with a nil error": {
			fail:     func(r []record.Record) ([]record.Record, error) { return r[:2], partial(map[int]error{2: nil}) },
			contains: "nil error", kept: list(1, 2, 3),
		},
		"a panic": {
			fail:     func([]record.Record) ([]record.Record, error) { panic("boom") },
			contains: "panic: boom", kept: list(1, 2, 3),
		},
		"Goexit": {
			fail:     func([]record.Record) ([]record.Record, error) { runtime.Goexit(); return nil, nil },
			contains: "runtime.Goexit", kept: list(1, 2, 3),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &worker{name: "p", script: func(n int, records []record.Record) ([]record.Record, error) {
					switch n {
					case 1:
						return tt.fail(records)
					case 2:
						return nil, errDown
					}
					return records, nil
				}}
				in, out := feeding("in", list(1, 2, 3), list(4, 5)), &taker{name: "out"}
				var failed []*link.Error
				var reports []link.Report
				l := started(t, link.Config{
					Inlets: inlets(in), Processors: []record.Processor{p}, Outlets: outlets(out),
					OnError:  func(_ context.Context, err *link.Error) error { failed = append(failed, err); return err },
					OnReport: func(_ context.Context, r link.Report) { reports = append(reports, r) },
				})
				go l.Transfer(t.Context(), link.Tick{Reason: record.Forced}) // it may end with its goroutine
				synctest.Wait()
				require.Len(t, failed, 1)
				e := failed[0]
				assert.Equal(t, link.OpProcess, e.Op)
				assert.Equal(t, "p", e.Node)
				assert.Equal(t, len(tt.kept), e.Records)
				assert.True(t, e.Kept)
				assert.True(t, e.Fatal())
				assert.ErrorContains(t, e, tt.contains)
				require.Len(t, reports, 1)
				assert.Equal(t, link.Failed, reports[0].Outcome)
				assert.Equal(t, int64(len(tt.kept)), reports[0].Failed)
				if tt.first != nil {
					assert.Equal(t, lists(tt.first), out.got())
				}

				r, err := transfer(t, l)
				require.ErrorIs(t, err, errDown)
				assert.Equal(t, link.Blocked, r.Outcome)
				assert.Len(t, in.all(), 1, "nothing is pulled meanwhile")

				r = transferred(t, l)
				assert.Equal(t, link.Ran, r.Outcome)
				assert.Equal(t, int64(-len(tt.kept)), r.Failed)
				assert.Equal(t, lists(list(1, 2, 3), tt.kept, tt.kept, list(4, 5)), p.given)
				assert.Equal(t, append(append(append([]any{}, tt.first...), tt.kept...), 4, 5), out.accepted())
			})
		})
	}
}

// Only the stage that failed is given its records again.
func TestProcessorFailsBehindOthers(t *testing.T) {
	first, last := &worker{name: "first"}, &worker{name: "last"}
	k := &keeper{name: "k", size: 2}
	failing := &worker{name: "failing", script: func(n int, r []record.Record) ([]record.Record, error) {
		if n < 3 {
			return nil, errDown
		}
		return r, nil
	}}
	out, store := &taker{name: "out"}, new(vault)
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 3, 6)), Outlets: outlets(out),
		Processors: []record.Processor{first, k, failing, last},
	})
	for range 2 {
		_, err := transfer(t, l)
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, int64(3), l.Account().Failed)
		assert.Equal(t, "", position(t, store, "link/l", "n"), "the cursor does not pass what failed")
	}
	transferred(t, l)
	assert.Equal(t, lists(list(1, 2, 3), list(4, 5, 6)), first.given)
	assert.Equal(t, lists(list(1, 2, 3), list(1, 2, 3), list(1, 2, 3), list(4, 5, 6)), failing.given)
	assert.Equal(t, lists(list(1, 2, 3), list(4, 5, 6)), last.given)
	assert.Equal(t, lists(list(1, 2, 3), list(4, 5, 6)), out.got(), "batches of two pulls stay apart")
	assert.Equal(t, "6", position(t, store, "link/l", "n"))
}

// Lanes offer what is pending while a processor fails.
func TestLanesGoOnWhileAProcessorFails(t *testing.T) {
	p := &worker{name: "p", script: func(n int, r []record.Record) ([]record.Record, error) {
		if n > 1 && n < 5 {
			return nil, errDown
		}
		return r, nil
	}}
	out := &taker{name: "out", script: failing(2, errDown)}
	l := started(t, link.Config{Inlets: inlets(counting("n", 1, 9)), Processors: []record.Processor{p}, Outlets: outlets(out)})
	for range 4 {
		transfer(t, l)
	}
	assert.Equal(t, lists(list(1), list(1), list(1)), out.got())
	r := transferred(t, l)
	assert.Equal(t, link.Ran, r.Outcome)
	assert.Equal(t, list(1, 2, 3), out.accepted())
}

func TestGrouperFails(t *testing.T) {
	group := func(f func(n int, b [][]record.Record) ([][]record.Record, error)) record.Grouper {
		n := 0
		return record.GrouperFunc(func(_ context.Context, b [][]record.Record) ([][]record.Record, error) {
			n++
			return f(n, b)
		})
	}
	tests := map[string]struct {
		fail      func(b [][]record.Record) ([][]record.Record, error)
		contains  string
		permanent bool
	}{
		"an error":     {func([][]record.Record) ([][]record.Record, error) { return nil, errDown }, "503", false},
		"with batches": {func(b [][]record.Record) ([][]record.Record, error) { return b, errDown }, "503", false},
		"a Partial": {func(b [][]record.Record) ([][]record.Record, error) {
			return b, &record.Partial{Failed: map[int]error{0: errDown}}
		}, "503", false},
		"a panic":     {func([][]record.Record) ([][]record.Record, error) { panic("boom") }, "panic: boom", false},
		"one is lost": {func(b [][]record.Record) ([][]record.Record, error) { return [][]record.Record{b[0][1:]}, nil }, "2 records of 3", true},
		"one is there twice": {func(b [][]record.Record) ([][]record.Record, error) {
			return append(b, b[0][:1]), nil
		}, "4 records of 3", true},
		"nothing is left": {func([][]record.Record) ([][]record.Record, error) { return nil, nil }, "0 records of 3", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in, out, store := counting("n", 3, 6), &taker{name: "out"}, new(vault)
			l := started(t, link.Config{
				Name: "l", State: store, Inlets: inlets(in), Outlets: outlets(out),
				Groupers: []record.Grouper{record.Chunk(3), group(func(n int, b [][]record.Record) ([][]record.Record, error) {
					if n < 3 {
						return tt.fail(b)
					}
					return b, nil
				}), record.Chunk(2)},
			})
			for i := range 2 {
				r, err := transfer(t, l)
				e := failure(t, err)
				assert.Equal(t, link.OpGroup, e.Op)
				assert.Equal(t, 3, e.Records)
				assert.True(t, e.Kept)
				assert.True(t, e.Fatal())
				assert.ErrorContains(t, e, tt.contains)
				assert.Equal(t, tt.permanent, record.IsPermanent(e))
				assert.Equal(t, []link.Outcome{link.Failed, link.Blocked}[i], r.Outcome)
				assert.Equal(t, int64(3), l.Account().Failed)
				assert.Equal(t, "", position(t, store, "link/l", "n"))
			}
			transferred(t, l)
			assert.Equal(t, lists(list(1, 2), list(3), list(4, 5), list(6)), out.got())
			assert.Equal(t, "6", position(t, store, "link/l", "n"))
		})
	}
}

func TestGrouperReordersAndLeavesEmptyBatches(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{
		Inlets: inlets(feeding("in", list(1, 2, 3))), Outlets: outlets(out),
		Groupers: []record.Grouper{record.GrouperFunc(func(_ context.Context, b [][]record.Record) ([][]record.Record, error) {
			return [][]record.Record{nil, b[0][2:], {}, b[0][:2]}, nil
		})},
	})
	transferred(t, l)
	assert.Equal(t, lists(list(3), list(1, 2)), out.got())
}

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
			assert.ErrorContains(t, e, "Holding: ")
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

func (s *silent) String() string          { return "silent" }
func (s *silent) Holding() record.Holding { return s.holding() }
func (s *silent) Flush()                  {}
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
