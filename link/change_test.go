package link_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// changing returns a link with an inlet "in" and an outlet "out", started if wanted.
func changing(t *testing.T, d *diary, running bool, change func(*link.Config)) (*link.Link, *pump, *tank) {
	t.Helper()
	in, out := &pump{life: life{name: "in", diary: d}}, &tank{life: life{name: "out", diary: d}}
	c := link.Config{Name: "changing", Inlets: inlets(in), Outlets: outlets(out)}
	if change != nil {
		change(&c)
	}
	l, err := link.New(c)
	require.NoError(t, err)
	if running {
		require.NoError(t, l.Start(t.Context()))
		t.Cleanup(func() {
			l.Shutdown(context.Background())
			assert.NoError(t, l.Account().Balance())
		})
	}
	d.take()
	return l, in, out
}

func TestChangeNodes(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		d := new(diary)
		l, in, out := changing(t, d, running, nil)
		said := func(want ...string) {
			t.Helper()
			if !running {
				want = nil
			}
			assert.Equal(t, want, d.take())
		}
		node := func(name string) life { return life{name: name, diary: d} }
		in2, in3 := &pump{life: node("in 2")}, &tape{pump: pump{life: node("in 3")}, per: 1}
		require.NoError(t, l.AddInlets(t.Context(), in2, in3))
		said("start in 2", "start in 3", "seek in 3 ")
		assert.Equal(t, inlets(in, in2, in3), l.Inlets())

		out2, out3, p := &tank{life: node("out 2")}, &tank{life: node("out 3")}, &pipe{life: node("p")}
		require.NoError(t, l.AddOutlets(t.Context(), out2))
		require.NoError(t, l.AddLanes(t.Context(), link.Lane{Outlet: out3, Name: "third", Processors: []record.Processor{p}}))
		said("start out 2", "start out 3", "start p")
		assert.Equal(t, outlets(out, out2, out3), l.Outlets())

		require.NoError(t, l.AddInlets(t.Context()))
		require.NoError(t, l.AddLanes(t.Context()))
		require.NoError(t, l.RemoveInlets(t.Context()))
		require.NoError(t, l.RemoveOutlets(t.Context()))

		require.NoError(t, l.RemoveInlets(t.Context(), in, in3))
		said("shutdown in 3", "shutdown in")
		assert.Equal(t, inlets(in2), l.Inlets())
		require.NoError(t, l.RemoveOutlets(t.Context(), out3, out))
		said("shutdown p", "shutdown out 3", "shutdown out")
		assert.Equal(t, outlets(out2), l.Outlets())

		require.NoError(t, l.RemoveInlets(t.Context(), in2), "there may be no inlet")
		said("shutdown in 2")
		if running {
			r, err := l.Transfer(t.Context(), link.Tick{})
			require.NoError(t, err)
			assert.Equal(t, link.Ran, r.Outcome)
		}
		require.NoError(t, l.AddInlets(t.Context(), in), "what was removed may be added again")
		said("start in")
	}
}

// A change that cannot be made whole is not made at all.
func TestChangeIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(ctx context.Context, l *link.Link, in *pump, out *tank, d *diary) error
		is     error
		want   []string // in the error
		said   []string // by the nodes of a running link
		calls  bool     // only a running link finds out
	}{
		{"inlets that are nil", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, d *diary) error {
			return l.AddInlets(ctx, &pump{life: life{name: "new", diary: d}}, nil, (*pump)(nil))
		}, nil, []string{"inlet 1 is nil", "inlet 2 is nil"}, nil, false},
		{"inlets that are invalid", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, _ *diary) error {
			return l.AddInlets(ctx, inlet.Of[int](nil), inlet.RandomInt(2, 1), &seeker{})
		}, nil, []string{"inlet 0: ", "inlet 1: ", "inlet 2: "}, nil, false},
		{"an inlet twice", func(ctx context.Context, l *link.Link, in *pump, _ *tank, d *diary) error {
			n := &pump{life: life{name: "new", diary: d}}
			return l.AddInlets(ctx, n, inlet.Named("x", in), n)
		}, link.ErrDuplicateNode, []string{"inlet 1: x is in the link already", "inlet 2: new is inlet 0 already"}, nil, false},
		{"an outlet as an inlet", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, d *diary) error {
			n := &both{pump{life: life{name: "new", diary: d}}}
			return errors.Join(l.AddOutlets(ctx, n), l.AddInlets(ctx, n), l.RemoveOutlets(ctx, n))
		}, link.ErrDuplicateNode, []string{"inlet 0: new is in the link already"}, []string{"start new", "shutdown new"}, false},
		{"names of inlets", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, _ *diary) error {
			return l.AddInlets(ctx, counting("in", 1, 1), counting("x", 1, 1), counting("x", 1, 1))
		}, nil, []string{`inlet 0: another inlet has the name "in"`, `inlet 2: another inlet has the name "x"`}, nil, false},
		{"an inlet that does not start", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, d *diary) error {
			bad := func(context.Context) error { return errDown }
			return l.AddInlets(ctx, &pump{life: life{name: "a", diary: d, onShutdown: bad}}, &pump{life: life{name: "b", diary: d, onStart: bad}}, &pump{life: life{name: "c", diary: d}})
		}, errDown, []string{"start b: 503", "shutdown a: 503"}, []string{"start a", "start b", "shutdown a"}, true},
		{"an inlet that does not seek", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, d *diary) error {
			return l.AddInlets(ctx, &tape{pump: pump{life: life{name: "a", diary: d}}}, &tape{pump: pump{life: life{name: "b", diary: d}}, onSeek: func(context.Context) error { panic("hot") }})
		}, nil, []string{"seek b: panic: hot"}, []string{"start a", "start b", "seek a ", "seek b ", "shutdown b", "shutdown a"}, true},
		{"lanes", func(ctx context.Context, l *link.Link, _ *pump, out *tank, d *diary) error {
			p := &pipe{life: life{name: "p", diary: d}}
			return l.AddLanes(ctx, link.Lane{}, link.Lane{Outlet: outlet.ReadOnly(out), Name: "out", Pending: -9}, link.Lane{Outlet: &tank{}, Processors: []record.Processor{p, nil, p}})
		}, link.ErrDuplicateNode, []string{
			"lane 0: Outlet is nil", "lane 1: Pending is -9", `lane 1: Name is "out"`, "lane 1: Outlet: out is in the link already",
			"lane 2: Processors[1] is nil", "lane 2: Processors[2]: p is lane 2: Processors[0] already",
		}, nil, false},
		{"outlets", func(ctx context.Context, l *link.Link, _ *pump, out *tank, _ *diary) error {
			return l.AddOutlets(ctx, nil, out)
		}, link.ErrDuplicateNode, []string{"lane 0: Outlet is nil", "lane 1: Outlet: out is in the link already"}, nil, false},
		{"a processor of a lane that does not start", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, d *diary) error {
			return l.AddLanes(ctx, link.Lane{Outlet: &tank{life: life{name: "a", diary: d}}, Processors: []record.Processor{
				&pipe{life: life{name: "p", diary: d, onStart: func(context.Context) error { return errDown }}},
			}})
		}, errDown, []string{"start p: 503"}, []string{"start a", "start p", "shutdown a"}, true},
		{"inlets that are not there", func(ctx context.Context, l *link.Link, in *pump, _ *tank, _ *diary) error {
			return l.RemoveInlets(ctx, in, &pump{life: life{name: "x"}}, in, inlet.Func(func(context.Context, record.Update) ([]record.Record, error) { return nil, nil }))
		}, link.ErrUnknownNode, []string{"remove inlet x", "remove inlet in", "remove inlet inlet.Func"}, nil, false},
		{"outlets that are not there", func(ctx context.Context, l *link.Link, _ *pump, _ *tank, _ *diary) error {
			return l.RemoveOutlets(ctx, &tank{life: life{name: "x"}}, nil)
		}, link.ErrUnknownNode, []string{"remove outlet x", "remove outlet <nil>"}, nil, false},
		{"the last outlet", func(ctx context.Context, l *link.Link, _ *pump, out *tank, _ *diary) error {
			return l.RemoveOutlets(ctx, out)
		}, nil, []string{"remove outlets: none would be left"}, nil, false},
	}
	for _, tt := range tests {
		for _, running := range []bool{false, true} {
			if tt.calls && !running {
				continue
			}
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				d := new(diary)
				l, in, out := changing(t, d, running, nil)
				err := tt.change(t.Context(), l, in, out, d)
				require.Error(t, err)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				for _, want := range tt.want {
					require.ErrorContains(t, err, want)
				}
				if !tt.calls {
					assert.Len(t, strings.Split(err.Error(), "\n"), len(tt.want), "%v", err)
				}
				if running {
					assert.Equal(t, tt.said, d.take())
				}
				assert.Equal(t, inlets(in), l.Inlets())
				assert.Equal(t, outlets(out), l.Outlets())
				require.NoError(t, l.AddInlets(t.Context(), &pump{}), "another change can be made")
			})
		}
	}
}

// An inlet that is added goes on from what it has committed, and one that is removed
// keeps what it has.
func TestInletsKeepTheirPositions(t *testing.T) {
	t.Parallel()
	store := new(state.Memory)
	d := new(diary)
	l, _, out := changing(t, d, true, func(c *link.Config) { c.State = store })
	position := func() string {
		value, _, err := store.Get(t.Context(), "link/changing")
		require.NoError(t, err)
		return string(value)
	}
	a := func() *tape {
		return &tape{pump: pump{life: life{name: "a", diary: d}}, values: values(1, 9), per: 2}
	}
	first := a()
	require.NoError(t, l.AddInlets(t.Context(), first))
	transferred(t, l)
	require.NoError(t, l.RemoveInlets(t.Context(), first))
	require.NoError(t, l.AddInlets(t.Context(), &tape{pump: pump{life: life{name: "b"}}, values: values(10, 19), per: 1}))
	transferred(t, l)
	assert.Contains(t, position(), `"a":{"type":"*link_test.tape","position":"Mg=="`)
	assert.Contains(t, position(), `"b":{"type":"*link_test.tape","position":"MQ=="`)
	d.take()
	second := a()
	require.NoError(t, l.AddInlets(t.Context(), second))
	assert.Equal(t, []string{"start a", "seek a 2"}, d.take())
	transferred(t, l)
	assert.Equal(t, list(1, 2, 10, 11, 3, 4), out.content())
	require.NoError(t, l.RemoveInlets(t.Context(), second))
	shut(t, l)

	// Over restarts, too.
	require.NoError(t, l.Start(t.Context()))
	transferred(t, l)
	shut(t, l)
	require.NoError(t, l.AddInlets(t.Context(), second))
	d.take()
	require.NoError(t, l.Start(t.Context()))
	assert.Contains(t, d.take(), "seek a 4")
}

// The first inlet with a position makes a link that had none keep it.
func TestFirstPosition(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		d := new(diary)
		l, _, out := changing(t, d, running, nil)
		if running {
			transferred(t, l)
		}
		require.NoError(t, l.AddInlets(t.Context(), counting("n", 2, 6)))
		if !running {
			require.NoError(t, l.Start(t.Context()))
		}
		transferred(t, l)
		shut(t, l)
		require.NoError(t, l.Start(t.Context()))
		transferred(t, l)
		shut(t, l)
		assert.Equal(t, list(1, 2, 3, 4), out.content())
	}
}

// While inlets are being set nothing is committed; what has settled meanwhile is
// then.
func TestCommitWhileInletsAreSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(vault)
		l, err := link.New(link.Config{Name: "x", State: store, Inlets: inlets(counting("n", 2, 6)), Outlets: outlets(&tank{})})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		go func() {
			assert.NoError(t, l.AddInlets(t.Context(), &tape{pump: pump{life: life{name: "slow"}}, onSeek: func(context.Context) error {
				time.Sleep(time.Minute)
				return nil
			}}))
		}()
		time.Sleep(time.Second)
		transferred(t, l)
		synctest.Wait()
		assert.Empty(t, store.written())
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, store.written(), 1)
		shut(t, l)
	})
}

func TestChangeFromInside(t *testing.T) {
	t.Parallel()
	var errs []error
	l, err := link.New(link.Config{
		Inlets: inlets(&pump{onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
			l := link.FromContext(ctx)
			errs = append(errs,
				l.AddInlets(ctx, &pump{}), l.RemoveInlets(ctx, &pump{}), l.AddOutlets(ctx, &tank{}), l.AddLanes(ctx), l.RemoveOutlets(ctx, &tank{}))
			return nil, nil
		}}),
		Outlets: outlets(&tank{}),
	})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	transferred(t, l)
	// So are calls of a node that is being added or removed.
	nested := func(ctx context.Context) error {
		errs = append(errs, l.AddOutlets(ctx, &tank{}))
		return nil
	}
	n := &tank{life: life{onStart: nested, onShutdown: nested}}
	require.NoError(t, l.AddOutlets(t.Context(), n))
	require.NoError(t, l.RemoveOutlets(t.Context(), n))
	require.Len(t, errs, 7)
	for _, err := range errs {
		require.ErrorIs(t, err, link.ErrInside)
	}
	shut(t, l)
}

// A change waits for another one, but not for ever, and not for a link that stops.
func TestChangesTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		l, _, _ := changing(t, d, true, nil)
		slow := &tank{life: life{name: "slow", diary: d, onStart: func(ctx context.Context) error {
			select {
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}}
		added := make(chan error, 1)
		go func() { added <- l.AddOutlets(context.Background(), slow) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, l.AddInlets(ctx, &pump{}), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))

		waiting := make(chan error, 1)
		go func() { waiting <- l.AddInlets(context.Background(), &pump{}) }()
		synctest.Wait()
		began = time.Now()
		_, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Zero(t, time.Since(began), "a change is given up")
		require.ErrorIs(t, <-added, link.ErrStopped)
		assert.Len(t, l.Outlets(), 1)
		err = <-waiting
		if err != nil { // else the link had stopped before it was its turn
			require.ErrorIs(t, err, link.ErrStopped)
		}
	})
}

// Nodes cannot be changed while a link stops.
func TestChangeDuringShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		l, in, out := changing(t, d, true, func(c *link.Config) {
			c.Inlets = append(c.Inlets, &pump{life: life{onShutdown: func(context.Context) error { time.Sleep(time.Second); return nil }}})
		})
		go l.Shutdown(context.Background())
		synctest.Wait()
		for _, err := range []error{
			l.AddInlets(t.Context(), &pump{}), l.RemoveInlets(t.Context(), in), l.AddOutlets(t.Context(), &tank{}), l.RemoveOutlets(t.Context(), out),
		} {
			require.ErrorIs(t, err, link.ErrStopped)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.NoError(t, l.AddInlets(t.Context(), &pump{}))
		require.NoError(t, l.AddOutlets(t.Context(), &tank{}))
		require.NoError(t, l.RemoveOutlets(t.Context(), out))
		require.NoError(t, l.Start(t.Context()))
		transferred(t, l)
		shut(t, l)
	})
}

// A node that hangs in its Start keeps no link from stopping.
func TestAddedNodeThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		tr := newTrap()
		defer tr.release()
		l, _, _ := changing(t, d, true, nil)
		hung := &tank{life: life{name: "hung", diary: d, onStart: func(context.Context) error { tr.step(); return nil }}}
		added := make(chan error, 1)
		go func() { added <- l.AddOutlets(context.Background(), hung) }()
		synctest.Wait()
		began := time.Now()
		_, err := l.Shutdown(t.Context())
		assert.Equal(t, []string{"hung"}, nodesOf(err, link.OpShutdown))
		assert.Equal(t, 500*time.Millisecond, time.Since(began))
		err = <-added
		require.ErrorIs(t, err, link.ErrStopped)
		require.ErrorContains(t, err, "start hung: abandoned")
		require.ErrorContains(t, l.Start(t.Context()), "still running: hung")
		d.take()
		tr.release()
		synctest.Wait()
		assert.Equal(t, []string{"shutdown hung"}, d.take())
		require.NoError(t, l.Start(t.Context()))
		require.NoError(t, l.AddOutlets(t.Context(), hung))
		shut(t, l)
	})
}

// A change of a link that is not running and its start are one after the other.
func TestChangeAndStart(t *testing.T) {
	t.Parallel()
	for range 100 {
		d := new(diary)
		l, _, _ := changing(t, d, false, nil)
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, l.Start(t.Context())) })
		wg.Go(func() { assert.NoError(t, l.AddOutlets(t.Context(), &tank{life: life{name: "new", diary: d}})) })
		wg.Go(func() { assert.NoError(t, l.AddInlets(t.Context(), counting("n", 1, 9))) })
		wg.Wait()
		assert.Contains(t, d.take(), "start new")
		transferred(t, l)
		_, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Contains(t, d.take(), "shutdown new")
	}
}
