package link_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

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
