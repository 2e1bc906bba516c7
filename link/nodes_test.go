package link_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// attached returns links that share nodes, each with the given nodes.
func attached(t *testing.T, n int, nodes *link.Nodes, config func(i int) link.Config) []*link.Link {
	t.Helper()
	links := make([]*link.Link, n)
	for i := range links {
		c := config(i)
		c.Name = fmt.Sprintf("link %d", i)
		var err error
		links[i], err = link.New(c)
		require.NoError(t, err)
		require.NoError(t, links[i].Attach(new(host), nodes))
	}
	return links
}

// A node of several links is started before the first of them and shut down after
// the last.
func TestSharedNodes(t *testing.T) {
	t.Parallel()
	d := new(diary)
	in := &pump{life: life{name: "in", diary: d}}
	out := &tank{life: life{name: "out", diary: d}}
	onlyDown := &closer{tank: tank{}, diary: d}
	links := attached(t, 2, new(link.Nodes), func(i int) link.Config {
		// Decorators do not make it another node.
		return link.Config{Inlets: inlets(inlet.Named(fmt.Sprint(i), in)), Outlets: outlets(outlet.Named(fmt.Sprint(i), out), onlyDown)}
	})
	for range 2 {
		require.NoError(t, links[0].Start(t.Context()))
		assert.Equal(t, []string{"start out", "start in"}, d.take())
		require.NoError(t, links[1].Start(t.Context()))
		_, err := links[0].Transfer(t.Context(), link.Tick{})
		require.NoError(t, err)
		assert.Equal(t, []string{"pull in"}, d.take())
		_, err = links[0].Shutdown(t.Context())
		require.NoError(t, err)
		assert.Empty(t, d.take(), "the other link uses them")
		require.NoError(t, links[0].Start(t.Context()))
		assert.Empty(t, d.take())
		_, err = links[1].Shutdown(t.Context())
		require.NoError(t, err)
		assert.Empty(t, d.take())
		_, err = links[0].Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"shutdown in", "close", "shutdown out"}, d.take())
	}
}

// closer is an outlet that has nothing to open.
type closer struct {
	tank  tank
	diary *diary
}

func (c *closer) Push(ctx context.Context, r []record.Record, u record.Update) error {
	return c.tank.Push(ctx, r, u)
}

func (c *closer) Shutdown(context.Context) error {
	c.diary.note("close")
	return nil
}

func TestSharedNodesSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up, most, starts atomic.Int32
		out := &tank{life: life{
			name: "out",
			onStart: func(context.Context) error {
				starts.Add(1)
				time.Sleep(time.Second)
				if n := up.Add(1); n > most.Load() {
					most.Store(n)
				}
				return nil
			},
			onShutdown: func(context.Context) error {
				time.Sleep(time.Second)
				up.Add(-1)
				return nil
			},
		}, onPush: func(context.Context, []record.Record, record.Update) error {
			if up.Load() != 1 {
				return errors.New("not open")
			}
			return nil
		}}
		links := attached(t, 8, new(link.Nodes), func(int) link.Config {
			return link.Config{Inlets: inlets(&pump{onPull: once(1)}), Outlets: outlets(out)}
		})
		var wg sync.WaitGroup
		for i, l := range links {
			wg.Go(func() {
				for range 5 {
					assert.NoError(t, l.Start(t.Context()))
					_, err := l.Transfer(t.Context(), link.Tick{})
					assert.NoError(t, err)
					time.Sleep(time.Duration(i) * 300 * time.Millisecond)
					_, err = l.Shutdown(t.Context())
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		assert.Zero(t, up.Load())
		assert.Equal(t, int32(1), most.Load(), "it is never started twice")
		assert.Less(t, starts.Load(), int32(40))
	})
}

// If the first start fails, the next link tries itself.
func TestSharedNodeThatDoesNotStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		fails := true
		out := &tank{life: life{name: "out", diary: d, onStart: func(context.Context) error {
			time.Sleep(time.Second)
			if fails {
				fails = false
				return errDown
			}
			return nil
		}}}
		links := attached(t, 2, new(link.Nodes), func(int) link.Config {
			return link.Config{Inlets: inlets(&pump{}), Outlets: outlets(out)}
		})
		var wg sync.WaitGroup
		wg.Go(func() { assert.ErrorIs(t, links[0].Start(t.Context()), errDown) })
		synctest.Wait()
		wg.Go(func() { assert.NoError(t, links[1].Start(t.Context())) })
		wg.Wait()
		assert.Equal(t, []string{"start out", "start out"}, d.take())
		_, err := links[1].Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"shutdown out"}, d.take())
	})
}

// A start or a stop that hangs is no trap for the other links.
func TestSharedNodeThatHangs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		node func(*trap, *diary) life
		up   bool // the first link starts
	}{
		{"Start", func(tr *trap, d *diary) life {
			return life{name: "out", diary: d, onStart: func(context.Context) error { tr.step(); return nil }}
		}, false},
		{"Shutdown", func(tr *trap, d *diary) life {
			return life{name: "out", diary: d, onShutdown: func(context.Context) error { tr.step(); return nil }}
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(diary)
				tr := newTrap()
				defer tr.release()
				out := &tank{life: tt.node(tr, d)}
				links := attached(t, 3, new(link.Nodes), func(int) link.Config {
					return link.Config{Inlets: inlets(&pump{}), Outlets: outlets(out)}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if tt.up {
					require.NoError(t, links[0].Start(t.Context()))
					go links[0].Shutdown(ctx)
				} else {
					go links[0].Start(ctx)
				}
				time.Sleep(time.Second)
				waiting, stop := context.WithTimeout(t.Context(), 4*time.Second)
				defer stop()
				began := time.Now()
				err := links[1].Start(waiting)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorContains(t, err, "another link was still starting or stopping it")
				assert.Equal(t, 4*time.Second, time.Since(began))

				go func() { // it waits when the call is left behind, and is told
					err := links[2].Start(t.Context())
					assert.ErrorContains(t, err, "given up is still running")
					assert.Less(t, time.Since(began), 11*time.Second)
				}()
				time.Sleep(time.Minute)
				d.take()
				again := time.Now()
				require.ErrorContains(t, links[1].Start(t.Context()), "given up is still running")
				assert.Zero(t, time.Since(again))
				assert.Empty(t, d.take())
				tr.release()
				synctest.Wait()
				d.take()
				require.NoError(t, links[1].Start(t.Context()))
				assert.Equal(t, []string{"start out"}, d.take())
				_, err = links[1].Shutdown(t.Context())
				require.NoError(t, err)
				assert.Equal(t, []string{"shutdown out"}, d.take())
			})
		})
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	var nodes, others link.Nodes
	hold := &keeper{name: "hold"}
	since := counting("since", 1, 1)
	toBroker := &broker{feed: feed{name: "broker"}}
	build := func(name string, c link.Config) *link.Link {
		c.Name = name
		if c.Inlets == nil {
			c.Inlets = inlets(inlet.Null())
		}
		c.Outlets = append(c.Outlets, outlet.Discard())
		l, err := link.New(c)
		require.NoError(t, err)
		return l
	}
	below := new(cellar)
	spilling := func() []link.Lane { return []link.Lane{{Outlet: &tank{}, OnFull: link.Spill, Spool: below}} }
	first := build("first", link.Config{Inlets: inlets(since, toBroker), Processors: []record.Processor{hold}, Lanes: spilling()})
	require.NoError(t, first.Attach(new(host), &nodes))
	require.ErrorContains(t, first.Attach(new(host), &nodes), `link "first" belongs to a planner already`)

	for name, c := range map[string]link.Config{
		"holder":          {Processors: []record.Processor{hold}},
		"holder of lane":  {Lanes: []link.Lane{{Outlet: &tank{}, Processors: []record.Processor{hold}}}},
		"decorated inlet": {Inlets: inlets(inlet.Named("x", since))},
		"broker":          {Inlets: inlets(toBroker)},
		"cellar":          {Lanes: spilling()},
	} {
		second := build(name, c)
		err := second.Attach(new(host), &nodes)
		require.ErrorIs(t, err, link.ErrDuplicateNode, name)
		require.ErrorContains(t, err, `"first"`)
		require.ErrorContains(t, err, name)
		require.NoError(t, second.Attach(nil, nil), "detaching what is not attached")
		require.NoError(t, second.Attach(new(host), &others), "other nodes, other places")
		require.NoError(t, second.Attach(nil, nil))
	}
	third := build("third", link.Config{Inlets: inlets(since, toBroker), Processors: []record.Processor{hold}})
	err := third.Attach(new(host), &nodes)
	require.ErrorContains(t, err, "since keeps a state")
	require.ErrorContains(t, err, "broker keeps a state")
	require.ErrorContains(t, err, "hold keeps a state")

	require.NoError(t, first.Start(t.Context()))
	require.ErrorIs(t, first.Attach(nil, nil), link.ErrRunning)
	_, err = first.Shutdown(t.Context())
	require.NoError(t, err)
	require.NoError(t, first.Attach(nil, nil))
	require.NoError(t, third.Attach(new(host), &nodes))
}

// Nodes that are added and removed are claimed and given free.
func TestAttachedNodesChange(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		var nodes link.Nodes
		since := counting("since", 1, 1)
		hold := &keeper{name: "hold"}
		links := attached(t, 2, &nodes, func(int) link.Config {
			return link.Config{Inlets: inlets(&pump{}), Outlets: outlets(&tank{})}
		})
		if running {
			require.NoError(t, links[0].Start(t.Context()))
		}
		out := &tank{life: life{name: "out"}}
		require.NoError(t, links[0].AddInlets(t.Context(), since))
		require.NoError(t, links[0].AddLanes(t.Context(), link.Lane{Outlet: out, Processors: []record.Processor{hold}}))
		require.ErrorIs(t, links[1].AddInlets(t.Context(), since), link.ErrDuplicateNode)
		require.ErrorIs(t, links[1].AddLanes(t.Context(), link.Lane{Outlet: &tank{}, Processors: []record.Processor{hold}}), link.ErrDuplicateNode)
		assert.Len(t, links[1].Inlets(), 1)
		assert.Len(t, links[1].Outlets(), 1)
		require.NoError(t, links[0].RemoveInlets(t.Context(), since))
		require.NoError(t, links[0].RemoveOutlets(t.Context(), out))
		require.NoError(t, links[1].AddInlets(t.Context(), since))
		require.NoError(t, links[1].AddLanes(t.Context(), link.Lane{Outlet: &tank{}, Processors: []record.Processor{hold}}))
		require.NoError(t, links[1].Attach(nil, nil))
		require.NoError(t, links[0].AddInlets(t.Context(), since), "detaching gives them free")
		_, err := links[0].Shutdown(t.Context())
		require.NoError(t, err)
	}
}

// An Attach without nodes is one of its own.
func TestAttachWithoutNodes(t *testing.T) {
	t.Parallel()
	l, err := link.New(link.Config{Inlets: inlets(counting("n", 1, 1)), Outlets: outlets(&tank{})})
	require.NoError(t, err)
	h := new(host)
	require.NoError(t, l.Attach(h, nil))
	_, err = l.Once(t.Context())
	require.NoError(t, err)
	assert.Len(t, h.reports, 2)
	assert.NotZero(t, h.changes)
}
