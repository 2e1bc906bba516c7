package link_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// overflowing returns a buffer that releases at a count, and holds one record in memory
// at the most.
func overflowing(s spool.Spool, count int) *buffer.Buffer {
	return buffer.New(&buffer.Options{Count: count, Pending: 2, Spool: s})
}

// numbered is an inlet that yields the next numbers with every pull, and no position.
func numbered(per int) *feed {
	return &feed{name: "n", script: func(_ context.Context, n int) ([]record.Record, error) {
		return of(values((n-1)*per+1, n*per)...), nil
	}}
}

// What is in the spool of a buffer holds no commit back. It is released, and stays there
// until every required lane has delivered it.
func TestOverflow(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"link", "lane"} {
		t.Run(place, func(t *testing.T) {
			var store vault
			c, down := new(cellar), true
			out, fast := switched(&down), &taker{name: "fast"}
			config := link.Config{Name: "l", State: &store, Inlets: inlets(counting("n", 2, 20))}
			b := overflowing(c, 7)
			if place == "link" {
				config.Processors = []record.Processor{b}
				config.Lanes = []link.Lane{{Outlet: out}, {Outlet: fast}}
			} else {
				config.Lanes = []link.Lane{{Outlet: out, Processors: []record.Processor{b}}, {Outlet: fast}}
			}
			l := started(t, config)
			for n := range 3 {
				transferred(t, l)
				assert.Equal(t, fmt.Sprint(2*n+2), position(t, &store, "link/l", "n"), "it is committed")
			}
			assert.Equal(t, values(1, 6), c.content())
			transfer(t, l)
			assert.Equal(t, lists(values(1, 8)), out.got())
			assert.Equal(t, values(1, 6), c.content(), "the outlet has refused it")
			assert.Equal(t, "6", position(t, &store, "link/l", "n"))
			down = false
			transferred(t, l)
			assert.Equal(t, values(1, 8), out.accepted())
			assert.Equal(t, "10", position(t, &store, "link/l", "n"))
			assert.Equal(t, values(9, 10), c.content())
			_, err := shut(t, l)
			require.NoError(t, err)
			assert.Equal(t, values(1, 10), out.accepted())
			assert.Empty(t, c.content())
		})
	}
}

// A link without any position tells the buffer what is delivered, too: what was released
// and not delivered comes again after a crash, what is delivered does not.
func TestOverflowWithoutPositions(t *testing.T) {
	t.Parallel()
	c, down := new(cellar), false
	out := switched(&down)
	config := func(in inlet.Inlet) link.Config {
		return link.Config{
			Inlets: inlets(in), Lanes: []link.Lane{{Outlet: out}},
			Processors: []record.Processor{overflowing(c, 5)},
		}
	}
	l := started(t, config(numbered(2)))
	for range 3 {
		transferred(t, l)
	}
	assert.Equal(t, values(1, 6), out.accepted())
	assert.Empty(t, c.content(), "the same transfer has told the buffer")
	down = true
	for range 3 {
		transfer(t, l)
	}
	assert.Equal(t, values(7, 10), c.content(), "they were released, but for those in memory")

	// The process is killed, and another one takes its place.
	down = false
	again := started(t, config(new(feed)))
	transferred(t, again)
	assert.Equal(t, values(1, 10), out.accepted())
	assert.Empty(t, c.content())
	assert.Equal(t, int64(4), again.Account().Produced, "they come from outside, says the account")
}

// A stop that gives up what was released loses nothing of what is in the spool.
func TestOverflowIsNotLostAtAStop(t *testing.T) {
	t.Parallel()
	c, down := new(cellar), true
	out := switched(&down)
	l := started(t, link.Config{
		Inlets: inlets(numbered(4)), Lanes: []link.Lane{{Outlet: out}},
		Processors: []record.Processor{overflowing(c, 100)},
	})
	transferred(t, l)
	transferred(t, l)
	r, err := shut(t, l)
	require.Error(t, err)
	assert.Equal(t, int64(8), r.Lanes[0].Abandoned)
	assert.Zero(t, r.Lanes[0].Lost)
	assert.Equal(t, values(1, 8), c.content())

	down = false
	require.NoError(t, l.Start(t.Context()))
	transferred(t, l)
	assert.Equal(t, values(1, 12), out.accepted(), "first, and in order")
	assert.Empty(t, c.content())
}

// Nor does a stop that has no time, or no spool any more, for what is held: only what is
// in memory is lost.
func TestOverflowIsNotLostAtAHurriedStop(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"link", "lane"} {
		for _, hurried := range []bool{true, false} {
			t.Run(fmt.Sprint(place, " ", hurried), func(t *testing.T) {
				broken := false
				c := &cellar{read: func() error {
					if broken {
						return errDown
					}
					return nil
				}}
				in := &feed{name: "n", script: func(_ context.Context, n int) ([]record.Record, error) {
					return of(list(1, 2, 3, 4, 5)[2*(n-1) : min(2*n, 5)]...), nil
				}}
				out := &taker{name: "out"}
				config := link.Config{Inlets: inlets(in), Lanes: []link.Lane{{Outlet: out}}}
				b := []record.Processor{overflowing(c, 100)}
				if place == "link" {
					config.Processors = b
				} else {
					config.Lanes[0].Processors = b
				}
				l := started(t, config)
				for range 3 {
					transferred(t, l)
				}
				broken = true
				ctx, cancel := context.WithCancel(t.Context())
				if hurried {
					cancel()
				}
				defer cancel()
				r, err := l.Shutdown(ctx)
				require.Error(t, err)
				abandoned, lost := r.Abandoned, r.Lost
				for _, ln := range r.Lanes {
					abandoned, lost = abandoned+ln.Abandoned, lost+ln.Lost
				}
				assert.Equal(t, [2]int64{5, 1}, [2]int64{abandoned, lost}, "%v", r)

				broken = false
				in.script = nil
				require.NoError(t, l.Start(t.Context()))
				transferred(t, l)
				assert.Equal(t, values(1, 4), out.accepted())
				assert.Empty(t, c.content())
			})
		}
	}
}

// Lanes that nothing waits for: what a buffer of an optional one releases is removed at
// once, and that of a removed one when it is delivered.
func TestOverflowWithoutABarrier(t *testing.T) {
	t.Parallel()
	t.Run("optional", func(t *testing.T) {
		c, down := new(cellar), true
		out := switched(&down)
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 2, 20)),
			Lanes: []link.Lane{
				{Outlet: &taker{name: "required"}},
				{Outlet: out, Optional: true, Processors: []record.Processor{overflowing(c, 5)}},
			},
		})
		for range 2 {
			transferred(t, l)
		}
		assert.Eventually(t, func() bool { return c.Stats().Records == 4 }, time.Minute, time.Millisecond)
		transferred(t, l)
		assert.Eventually(t, func() bool { return c.Stats().Records == 0 }, time.Minute, time.Millisecond)
	})
	for _, delivers := range []bool{true, false} {
		t.Run(map[bool]string{true: "removed", false: "removed while it refuses"}[delivers], func(t *testing.T) {
			c, down := new(cellar), !delivers
			out := switched(&down)
			l := started(t, link.Config{
				Inlets: inlets(counting("n", 2, 20)), ShutdownTimeout: 100 * time.Millisecond,
				Lanes: []link.Lane{
					{Outlet: &taker{name: "stays"}},
					{Outlet: out, Processors: []record.Processor{overflowing(c, 100)}},
				},
			})
			for range 3 {
				transferred(t, l)
			}
			err := l.RemoveOutlets(t.Context(), out)
			if delivers {
				require.NoError(t, err)
				assert.Equal(t, values(1, 6), out.accepted())
				assert.Empty(t, c.content())
				return
			}
			require.ErrorContains(t, err, "6 records dropped")
			assert.Equal(t, values(1, 6), c.content(), "they come when a lane has the spool again")
		})
	}
	t.Run("added", func(t *testing.T) {
		c, out := new(cellar), &taker{name: "out"}
		l := started(t, link.Config{Inlets: inlets(numbered(2)), Lanes: []link.Lane{{Outlet: outlet.Discard()}}})
		transferred(t, l)
		require.NoError(t, l.AddLanes(t.Context(), link.Lane{Outlet: out, Processors: []record.Processor{overflowing(c, 5)}}))
		for range 2 {
			transferred(t, l)
		}
		assert.Equal(t, values(3, 6), c.content())
		transferred(t, l)
		assert.Equal(t, values(3, 8), out.accepted())
		assert.Empty(t, c.content())
	})
}

// A spool has one user.
func TestSpoolsOfBuffersAreClaimed(t *testing.T) {
	t.Parallel()
	c := new(cellar)
	_, err := link.New(link.Config{
		Inlets: inlets(new(feed)), Processors: []record.Processor{overflowing(c, 2), overflowing(c, 2)},
		Lanes: []link.Lane{{Outlet: outlet.Discard(), OnFull: link.Spill, Spool: c, Processors: []record.Processor{overflowing(c, 2)}}},
	})
	require.ErrorIs(t, err, link.ErrDuplicateNode)
	for _, where := range []string{"Processors[1].Spool", "Lanes[0].Spool", "Lanes[0].Processors[0].Spool"} {
		assert.ErrorContains(t, err, where+": *link_test.cellar is Processors[0].Spool already")
	}

	nodes := new(link.Nodes)
	for i := range 2 {
		l, err := link.New(link.Config{Inlets: inlets(new(feed)), Outlets: outlets(outlet.Discard()), Processors: []record.Processor{overflowing(c, 2)}})
		require.NoError(t, err)
		if err = l.Attach(plainHost{}, nodes); i == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, link.ErrDuplicateNode)
		}
	}
}

type plainHost struct{}

func (plainHost) Failed(_ context.Context, _ *link.Link, err *link.Error) error { return err }
func (plainHost) Reported(context.Context, *link.Link, link.Report)             {}
func (plainHost) Changed(*link.Link)                                            {}

// The spool is started before the buffer, and shut down after it.
func TestSpoolOfABufferIsStarted(t *testing.T) {
	t.Parallel()
	var calls []string
	s := &startedCellar{cellar: new(cellar), calls: &calls}
	l, err := link.New(link.Config{Inlets: inlets(new(feed)), Outlets: outlets(outlet.Discard()), Processors: []record.Processor{overflowing(s, 2)}})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, l.Start(t.Context()))
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"start", "stats", "shutdown", "start", "stats", "shutdown"}, calls)
	s.fail = errors.New("permission denied")
	assert.ErrorContains(t, l.Start(t.Context()), "permission denied")
}

type startedCellar struct {
	*cellar
	calls *[]string
	fail  error
}

func (s *startedCellar) Start(context.Context) error {
	*s.calls = append(*s.calls, "start")
	return s.fail
}

func (s *startedCellar) Shutdown(context.Context) error {
	*s.calls = append(*s.calls, "shutdown")
	return nil
}

func (s *startedCellar) Stats() spool.Stats {
	*s.calls = append(*s.calls, "stats")
	return s.cellar.Stats()
}
