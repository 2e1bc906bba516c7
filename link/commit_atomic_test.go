package link_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// atomicTaker is an outlet that writes the commit together with the records.
type atomicTaker struct {
	taker
	store *vault
}

func (v *atomicTaker) Store() any { return v.store }

func (v *atomicTaker) Push(ctx context.Context, records []record.Record, u record.Update) error {
	v.mu.Lock()
	v.offers = append(v.offers, offer{time.Now(), records, u, nil})
	v.mu.Unlock()
	if u.Commit == nil {
		return nil
	}
	if _, err := v.store.Memory.Put(ctx, u.Commit.Key, u.Commit.Value, u.Commit.Revision); err != nil {
		return err
	}
	return nil
}

func TestAtomicOutlet(t *testing.T) {
	store := new(vault)
	out := &atomicTaker{taker: taker{name: "out"}, store: store}
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 3, 9)), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(2)},
	})
	for i := range 3 {
		transferred(t, l)
		offers := out.all()[2*i:]
		require.Len(t, offers, 2)
		assert.Nil(t, offers[0].update.Commit, "only the last batch brings it")
		require.NotNil(t, offers[1].update.Commit)
		assert.Equal(t, "link/l", offers[1].update.Commit.Key)
		assert.Equal(t, int64(i), offers[1].update.Commit.Revision)
		value, rev, err := store.Get(t.Context(), "link/l")
		require.NoError(t, err)
		assert.Equal(t, int64(i+1), rev, "it is written once")
		assert.Equal(t, string(offers[1].update.Commit.Value), string(value))
		assert.Equal(t, fmt.Sprint(3*(i+1)), position(t, store, "link/l", "n"))
	}
	assert.Equal(t, 0, store.writes, "the link has nothing left to write")
}

// An outlet gets no commit that would pass something that is undelivered.
func TestAtomicOutletWithoutCommit(t *testing.T) {
	type change func(c *link.Config, out *atomicTaker)
	tests := map[string]struct {
		change    change
		transfers int
		commits   []bool // of every offer
	}{
		"alone":         {func(*link.Config, *atomicTaker) {}, 2, []bool{true, true}},
		"another store": {func(_ *link.Config, out *atomicTaker) { out.store = new(vault) }, 1, []bool{false}},
		"two lanes":     {func(c *link.Config, _ *atomicTaker) { c.Outlets = append(c.Outlets, &taker{name: "other"}) }, 2, []bool{false, false}},
		"held": {func(c *link.Config, _ *atomicTaker) {
			c.Processors = []record.Processor{&keeper{name: "k", size: 2, key: func(n any) any { return n.(int) % 2 }}}
		}, 4, []bool{false, true}}, // [1 3] while 2 is held, then [2 4]
		"held in the lane": {func(c *link.Config, out *atomicTaker) {
			c.Outlets = nil
			c.Lanes = []link.Lane{{Outlet: out, Processors: []record.Processor{&keeper{name: "k", size: 2, key: func(n any) any { return n.(int) % 2 }}}}}
		}, 4, []bool{false, false}},
		"a lane that only maps": {func(c *link.Config, out *atomicTaker) {
			c.Outlets = nil
			c.Lanes = []link.Lane{{Outlet: out, Processors: []record.Processor{record.Map(func(n int) (int, error) { return n, nil })}}}
		}, 2, []bool{true, true}},
		"a decorator makes no claim": {func(c *link.Config, out *atomicTaker) { c.Outlets = outlets(wrapped{out}) }, 1, []bool{false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := new(vault)
			out := &atomicTaker{taker: taker{name: "out"}, store: store}
			c := link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out)}
			tt.change(&c, out)
			l := started(t, c)
			for range tt.transfers {
				transferred(t, l)
			}
			var commits []bool
			for _, o := range out.all() {
				commits = append(commits, o.update.Commit != nil)
			}
			assert.Equal(t, tt.commits, commits)
			assert.Equal(t, fmt.Sprint(tt.transfers), position(t, store, "link/l", "n"))
		})
	}
}

type wrapped struct{ outlet.Outlet }

func (w wrapped) Unwrap() outlet.Outlet { return w.Outlet }

// An offer that failed after it was written is offered with the same commit.
func TestAtomicOutletIsOfferedAgain(t *testing.T) {
	store := new(vault)
	out := &atomicTaker{taker: taker{name: "out"}, store: store}
	failed := &flakyAtomic{atomicTaker: out}
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 2)), Outlets: outlets(failed)})
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	transferred(t, l)
	require.Len(t, out.all(), 3)
	assert.Equal(t, out.all()[0].update.Commit, out.all()[1].update.Commit)
	assert.EqualValues(t, 2, out.all()[1].update.Attempt)
	assert.Equal(t, "2", position(t, store, "link/l", "n"))
}

// flakyAtomic writes at its first push and says that it failed.
type flakyAtomic struct{ *atomicTaker }

func (f *flakyAtomic) Push(ctx context.Context, records []record.Record, u record.Update) error {
	first := len(f.all()) == 0
	err := f.atomicTaker.Push(ctx, records, u)
	if first {
		return errDown
	}
	if errors.Is(err, state.ErrConflict) {
		return nil // it finds its own
	}
	return err
}

// An outlet that gets copies gets no commit with a batch of which some could not be
// copied.
func TestAtomicOutletOfWhatCannotBeCopied(t *testing.T) {
	store := new(vault)
	out := &atomicTaker{taker: taker{name: "out"}, store: store}
	in := inlet.Since("n", func(_ context.Context, after int) ([]any, int, error) {
		if after > 0 {
			return nil, after, nil
		}
		return []any{1, make(chan int), 3}, 3, nil
	})
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(in), Outlets: outlets(out), Isolation: link.CopyAlways})
	_, err := transfer(t, l)
	require.ErrorContains(t, err, "chan int")
	require.NotEmpty(t, out.all())
	for _, o := range out.all() {
		assert.Nil(t, o.update.Commit)
	}
	assert.Empty(t, stored(t, store, "link/l"), "the position is behind a record that is not delivered")
}

// A conflict that an atomic outlet meets is looked into: the commit is written already,
// or another process has taken over.
func TestAtomicOutletConflict(t *testing.T) {
	store := new(vault)
	out := &atomicTaker{taker: taker{name: "out"}, store: store}
	lost := true
	flaky := &answering{out, func(err error) error {
		if lost {
			lost = false
			return errDown
		}
		return err
	}}
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Lanes: []link.Lane{{Outlet: flaky, Retry: link.Retry{Backoff: -1}}}})
	transferred(t, l)
	require.Len(t, out.all(), 2, "the second offer meets the conflict, and its records are written")
	assert.Equal(t, "1", position(t, store, "link/l", "n"))
	transferred(t, l)
	assert.Equal(t, "2", position(t, store, "link/l", "n"))

	value, rev, err := store.Get(t.Context(), "link/l")
	require.NoError(t, err)
	_, err = store.Memory.Put(t.Context(), "link/l", []byte(strings.ReplaceAll(string(value), `"writer":"`, `"writer":"other`)), rev)
	require.NoError(t, err)
	_, err = transfer(t, l)
	require.ErrorIs(t, err, link.ErrFenced)
	_, err = transfer(t, l)
	require.ErrorIs(t, err, link.ErrFenced)
	assert.Equal(t, "2", position(t, store, "link/l", "n"))
}

// answering is an atomicTaker that answers what it is told to.
type answering struct {
	*atomicTaker
	answer func(error) error
}

func (a *answering) Push(ctx context.Context, records []record.Record, u record.Update) error {
	return a.answer(a.atomicTaker.Push(ctx, records, u))
}
