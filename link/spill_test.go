package link_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// cellar is a spool in memory. It survives links. Hooks, if there are any, are asked
// before the calls; a record whose payload is -1 cannot be encoded.
type cellar struct {
	append, read, remove func() error

	mu      sync.Mutex
	seq     int64
	entries []spool.Entry
}

func (c *cellar) Append(_ context.Context, records []record.Record) error {
	if c.append != nil {
		if err := c.append(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var f record.Failures
	for i, r := range records {
		if r.Payload == -1 {
			f.Add(i, record.Permanent(errors.New("no codec")))
			continue
		}
		c.seq++
		c.entries = append(c.entries, spool.Entry{Seq: c.seq, Record: r})
	}
	return f.Err()
}

func (c *cellar) Read(_ context.Context, after int64, n int) ([]spool.Entry, error) {
	if c.read != nil {
		if err := c.read(); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []spool.Entry
	for _, e := range c.entries {
		if e.Seq > after && len(out) < n {
			out = append(out, e)
		}
	}
	return out, nil
}

func (c *cellar) Remove(_ context.Context, seqs []int64) error {
	if c.remove != nil {
		if err := c.remove(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = slices.DeleteFunc(c.entries, func(e spool.Entry) bool { return slices.Contains(seqs, e.Seq) })
	return nil
}

func (c *cellar) Stats() spool.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return spool.Stats{Records: len(c.entries)}
}

// content returns the payloads that are there.
func (c *cellar) content() []any {
	all := []any{}
	for _, e := range c.entries {
		all = append(all, e.Record.Payload)
	}
	return all
}

// switched is an outlet that refuses everything while down.
func switched(down *bool) *taker {
	return &taker{name: "out", script: func(context.Context, int, []record.Record) error {
		if *down {
			return errDown
		}
		return nil
	}}
}

// While an outlet refuses everything the others go on, what is pending overflows to the
// spool, and commits go on. Then everything is offered in order.
func TestSpill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store vault
		c, down := new(cellar), true
		out := switched(&down)
		l := started(t, link.Config{
			Name: "l", State: &store, Inlets: inlets(counting("n", 2, 40)), MaxUncommitted: 4,
			Lanes: []link.Lane{{Outlet: out, Pending: 5, OnFull: link.Spill, Spool: c}},
		})
		for n := range 15 {
			r, _ := transfer(t, l)
			assert.NotEqual(t, link.Blocked, r.Outcome, n)
			st := l.LaneStats()[0]
			assert.LessOrEqual(t, st.Pending-int64(len(out.got()[len(out.got())-1])), int64(7))
		}
		assert.Equal(t, int64(30), l.Account().Pulled)
		assert.Contains(t, store.puts[len(store.puts)-1], `"number":11`)
		down = false
		for range 6 {
			transferred(t, l)
		}
		assert.Equal(t, values(1, 40), out.accepted())
		assert.Empty(t, c.content())
		assert.Equal(t, "pulled 40 filtered 0 held 0 pending 0 delivered 40 dropped 0 balanced", l.Account().String())
		assert.Contains(t, store.puts[len(store.puts)-1], `"number":19`)
	})
}

// What is in the spool survives, and comes first after a start. A Shutdown moves there
// what is pending, and commits it.
func TestSpillSurvives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store vault
		c, down := new(cellar), true
		out := switched(&down)
		config := link.Config{
			Name: "l", State: &store, Inlets: inlets(counting("n", 2, 20)),
			Lanes: []link.Lane{{Outlet: out, Pending: 4, OnFull: link.Spill, Spool: c}},
		}
		l := started(t, config)
		for range 5 {
			transfer(t, l)
		}
		r, _ := shut(t, l)
		assert.Equal(t, values(1, 10), c.content())
		assert.Zero(t, r.Lanes[0].Abandoned)
		a := l.Account().Lanes[0]
		assert.Equal(t, int64(10), a.Spooled)
		assert.Zero(t, a.Pending)
		assert.Contains(t, store.puts[len(store.puts)-1], `"position":"MTA="`, "it is committed")

		require.NoError(t, l.Start(t.Context()), "the same link goes on")
		transfer(t, l)
		shut(t, l)
		assert.Equal(t, values(1, 12), c.content())
		assert.Equal(t, int64(0), l.Account().Lanes[0].Restored)

		down = false
		l2 := started(t, config) // as after a crash
		assert.Equal(t, int64(12), l2.Account().Lanes[0].Restored)
		for range 5 {
			transferred(t, l2)
		}
		assert.Equal(t, values(1, 20), out.accepted())
		assert.Empty(t, c.content())
	})
}

// What hangs is not moved, and what comes behind it is.
func TestSpillBesideACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
			if n == 1 {
				<-release
			}
			return nil
		}}
		c := new(cellar)
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 2, 20)),
			Lanes:  []link.Lane{{Outlet: &taker{name: "other"}}, {Outlet: out, Pending: 4, OnFull: link.Spill, Spool: c}},
		})
		for range 8 {
			l.Begin(link.Tick{})
			synctest.Wait()
		}
		assert.Equal(t, values(3, 14), c.content())
		close(release)
		synctest.Wait()
		l.Begin(link.Tick{})
		synctest.Wait()
		assert.Equal(t, values(1, 18), out.accepted())
		assert.Empty(t, c.content())
	})
}

// A partial answer leaves in the spool what was refused.
func TestSpillPartial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, down := new(cellar), true
		var bad []int
		out := &taker{name: "out", script: func(_ context.Context, _ int, records []record.Record) error {
			if down {
				return errDown
			}
			var f record.Failures
			for i, r := range records {
				if slices.Contains(bad, r.Payload.(int)) {
					f.Add(i, errDown)
				}
			}
			return f.Err()
		}}
		l := started(t, link.Config{Inlets: inlets(counting("n", 3, 9)), Lanes: []link.Lane{{Outlet: out, Pending: 3, OnFull: link.Spill, Spool: c}}})
		for range 4 {
			transfer(t, l)
		}
		down, bad = false, []int{2, 5, 6}
		transfer(t, l)
		assert.Equal(t, list(2, 4, 5, 6, 7, 8, 9), c.content(), "nothing passes what was refused")
		bad = []int{5}
		transfer(t, l)
		assert.Equal(t, list(5), c.content())
		bad = nil
		transferred(t, l)
		assert.Empty(t, c.content())
		assert.Equal(t, list(1, 3, 2, 4, 6, 7, 8, 9, 5), out.accepted())
	})
}

// A spool that fails costs nothing but time: the link blocks, or offers again.
func TestSpillFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var full, unreadable error
		c, down := &cellar{append: func() error { return full }, read: func() error { return unreadable }}, true
		out := switched(&down)
		var failures []*link.Error
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 2, 12)), Lanes: []link.Lane{{Outlet: out, Pending: 3, OnFull: link.Spill, Spool: c}},
			OnError: func(_ context.Context, err *link.Error) error {
				if err.Op == link.OpSpool {
					failures = append(failures, err)
				}
				return nil
			},
		})
		full = spool.ErrFull
		for range 5 {
			transfer(t, l)
		}
		assert.Equal(t, int64(4), l.Account().Pulled, "then it is full")
		require.NotEmpty(t, failures)
		assert.ErrorIs(t, failures[0], spool.ErrFull)
		assert.False(t, failures[0].Fatal())
		assert.Empty(t, c.content())
		full, unreadable, down = nil, errDown, false
		transfer(t, l)
		assert.Equal(t, values(1, 4), c.content())
		assert.Empty(t, out.accepted(), "nothing passes what cannot be read")
		assert.ErrorIs(t, failures[len(failures)-1], errDown)
		unreadable = nil
		for range 5 {
			transferred(t, l)
		}
		assert.Equal(t, values(1, 12), out.accepted())
		assert.Empty(t, c.content())
	})
}

// What the codec does not know becomes a dead letter, and what is damaged is told and
// skipped.
func TestSpillUnknownAndDamaged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		unreadable := errDown
		c, down := &cellar{read: func() error { return unreadable }}, true
		out, dead := switched(&down), &taker{name: "dead"}
		var failures []string
		l := started(t, link.Config{
			Inlets: inlets(feeding("n", list(1, -1, 2), list(3), list(4))), DeadLetter: dead,
			Lanes: []link.Lane{{Outlet: out, Pending: 3, OnFull: link.Spill, Spool: c}},
			OnError: func(_ context.Context, err *link.Error) error {
				if err.Op == link.OpSpool && !errors.Is(err, errDown) {
					failures = append(failures, err.Error())
				}
				return nil
			},
		})
		transfer(t, l)
		transfer(t, l)
		unreadable = nil
		assert.Equal(t, []string{"-1: no codec"}, letters(dead))
		assert.Equal(t, list(1, 2), c.content())
		c.entries[0].Err = errors.New("torn")
		down = false
		transferred(t, l)
		assert.Equal(t, list(2, 3, 4), out.accepted())
		assert.Equal(t, []string{
			"link link: spool out: 1 failed: record 1: no codec (1 dead-lettered)",
			"link link: spool out: torn (1 dropped)",
		}, failures)
		lane := l.Account().Lanes[0]
		assert.Equal(t, int64(1), lane.Damaged)
		assert.Zero(t, lane.Spooled)
	})
}

// A spool that hangs is left behind by its name.
func TestSpillHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, down := &cellar{append: func() error { <-release; return nil }}, true
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 2, 12)), ShutdownTimeout: time.Second,
			Lanes: []link.Lane{{Outlet: switched(&down), Pending: 1, OnFull: link.Spill, Spool: c}},
		})
		transfer(t, l)
		go l.Begin(link.Tick{})
		synctest.Wait()
		assert.Equal(t, []string{"spool of out"}, l.Busy())
		start := time.Now()
		_, err := l.Shutdown(t.Context())
		require.ErrorContains(t, err, "spool of out")
		assert.Less(t, time.Since(start), 2*time.Second)
		close(release)
	})
}

// A lane that is removed delivers what is in its spool, or leaves it there for the one
// that is added with it.
func TestSpillRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, down := new(cellar), true
		out, other := switched(&down), &taker{name: "other"}
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 2, 6)), ShutdownTimeout: time.Second,
			Lanes: []link.Lane{{Outlet: other}, {Outlet: out, Pending: 1, OnFull: link.Spill, Spool: c}},
		})
		for range 3 {
			transfer(t, l)
			synctest.Wait()
		}
		require.ErrorContains(t, l.RemoveOutlets(t.Context(), out), "2 records dropped", "which were in memory")
		assert.Equal(t, values(1, 4), c.content())
		require.NoError(t, l.AddLanes(t.Context(), link.Lane{Outlet: out, OnFull: link.Spill, Spool: c}))
		assert.Equal(t, int64(4), l.Account().Lanes[1].Restored)
		down = false
		require.NoError(t, l.RemoveOutlets(t.Context(), out))
		assert.Equal(t, values(1, 4), out.accepted())
		assert.Empty(t, c.content())
		assert.NoError(t, l.Account().Balance())
	})
}

// What a hanging call has of the spool is there still.
func TestSpillShutdownBesideACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, down, release := new(cellar), true, make(chan struct{})
		out := &taker{name: "out", script: func(context.Context, int, []record.Record) error {
			if !down {
				<-release
			}
			return errDown
		}}
		l := started(t, link.Config{
			Name: "l", State: new(vault), Inlets: inlets(counting("n", 2, 4)), ShutdownTimeout: time.Second,
			Lanes: []link.Lane{{Outlet: out, Pending: 1, OnFull: link.Spill, Spool: c}},
		})
		for range 3 {
			transfer(t, l)
		}
		down = false
		go l.Begin(link.Tick{})
		synctest.Wait()
		r, err := l.Shutdown(t.Context())
		require.ErrorContains(t, err, "out")
		assert.Equal(t, values(1, 4), c.content())
		assert.Zero(t, r.Lanes[0].Abandoned)
		assert.Equal(t, int64(4), l.Account().Lanes[0].Spooled)
		close(release)
	})
}

// While records are moved to the spool, and one of them is being made a dead letter, the
// lane does not read them there: they would be counted twice.
func TestSpoolIsNotReadWhileItIsFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		batches := [][]any{list(1, 2, 3), list(4, -1, 5), list(6)}
		pushes := 0
		push, letter := make(chan struct{}), make(chan struct{})
		out := &tank{onPush: func(context.Context, []record.Record, record.Update) error {
			switch pushes++; pushes {
			case 1:
				return errSpoiled // so that the first three are spooled
			case 2:
				<-push
			}
			return nil
		}}
		l := started(t, link.Config{
			Inlets: inlets(&pump{onPull: func(context.Context, record.Update) ([]record.Record, error) {
				if len(batches) == 0 {
					return nil, nil
				}
				batch := batches[0]
				batches = batches[1:]
				return of(batch...), nil
			}}),
			Lanes: []link.Lane{
				{
					Outlet: out, Pending: 2, OnFull: link.Spill, Spool: new(cellar),
					DeadLetter: &tank{onPush: func(context.Context, []record.Record, record.Update) error {
						<-letter
						return nil
					}},
				},
				{Outlet: &tank{}},
			},
		})
		for range 3 {
			go l.Transfer(t.Context(), link.Tick{})
			synctest.Wait()
		}
		close(push)
		synctest.Wait()
		close(letter)
		synctest.Wait()
		for range 3 {
			_, _ = l.Transfer(t.Context(), link.Tick{})
			synctest.Wait()
		}
		a := l.Account().Lanes[0]
		assert.Equal(t, list(1, 2, 3, 4, 5, 6), out.content())
		assert.Equal(t, [4]int64{7, 6, 1, 0}, [4]int64{a.Offered, a.Delivered, a.DeadLettered, a.Damaged})
		assert.Zero(t, a.Restored)
	})
}
