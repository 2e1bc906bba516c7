package link_test

import (
	"context"
	"errors"
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

// household is a link with two nodes of every kind, all noted in one diary.
func household(d *diary, change func(node *life)) link.Config {
	node := func(name string) life {
		n := life{name: name, diary: d}
		if change != nil {
			change(&n)
		}
		return n
	}
	return link.Config{
		Name:       "household",
		Inlets:     inlets(&tape{pump: pump{life: node("in 1")}, per: 1}, &tape{pump: pump{life: node("in 2")}, per: 1}),
		Processors: []record.Processor{&pipe{life: node("p 1")}, &pipe{life: node("p 2")}},
		Groupers:   []record.Grouper{&cutter{life: node("g 1")}, &cutter{life: node("g 2")}},
		Lanes:      []link.Lane{{Outlet: &tank{life: node("out 1")}, Processors: []record.Processor{&pipe{life: node("l 1")}}}},
		Outlets:    outlets(&tank{life: node("out 2")}),
	}
}

var household1 = []string{
	"start out 1", "start out 2", "start l 1", "start g 1", "start g 2", "start p 1", "start p 2", "start in 1", "start in 2",
	"seek in 1 ", "seek in 2 ",
}

func TestStartAndShutdown(t *testing.T) {
	t.Parallel()
	d := new(diary)
	l, err := link.New(household(d, nil))
	require.NoError(t, err)
	assert.Empty(t, d.take())
	for range 2 {
		require.NoError(t, l.Start(t.Context()))
		assert.Equal(t, household1, d.take())
		require.ErrorIs(t, l.Start(t.Context()), link.ErrRunning)
		_, err = l.Once(t.Context())
		require.ErrorIs(t, err, link.ErrRunning)
		assert.Empty(t, d.take())
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{
			"shutdown in 2", "shutdown in 1", "shutdown p 2", "shutdown p 1", "shutdown g 2", "shutdown g 1", "shutdown l 1",
			"shutdown out 2", "shutdown out 1",
		}, d.take())
	}
}

// Nothing stays half started: what is up is taken down, the last first.
func TestStartFails(t *testing.T) {
	t.Parallel()
	down := []string{"shutdown in 1", "shutdown p 2", "shutdown p 1", "shutdown g 2", "shutdown g 1", "shutdown l 1", "shutdown out 2", "shutdown out 1"}
	errBad := errors.New("bad")
	tests := []struct {
		name   string
		change func(*life)
		config func(*link.Config)
		up     int // of household1
		down   []string
		errs   []string
		op     link.Op
		node   string
	}{
		{
			name: "first node", op: link.OpStart, node: "out 1", up: 1,
			change: func(n *life) {
				if n.name == "out 1" {
					n.onStart = func(context.Context) error { return errBad }
				}
			},
			errs: []string{"link household: start out 1: bad"},
		},
		{
			name: "last node, and another in its Shutdown", op: link.OpStart, node: "in 2", up: 9, down: down,
			change: func(n *life) {
				switch n.name {
				case "in 2":
					n.onStart = func(context.Context) error { return errBad }
				case "out 2":
					n.onShutdown = func(context.Context) error { return errDown }
				case "p 1":
					n.onShutdown = func(context.Context) error { panic("hot") }
				}
			},
			errs: []string{"link household: start in 2: bad", "link household: shutdown p 1: panic: hot", "link household: shutdown out 2: 503"},
		},
		{
			name: "panic", op: link.OpStart, node: "in 2", up: 9, down: down,
			change: func(n *life) {
				if n.name == "in 2" {
					n.onStart = func(context.Context) error { panic(errBad) }
				}
			},
			errs: []string{"link household: start in 2: panic: bad"},
		},
		{
			name: "store", op: link.OpState, node: "link/household", up: 9, down: append([]string{"shutdown in 2"}, down...),
			config: func(c *link.Config) {
				c.State = &vault{get: func(int, func() ([]byte, int64, error)) ([]byte, int64, error) { return nil, 0, errBad }}
			},
			errs: []string{`link household: state link/household: read "link/household": bad`},
		},
		{
			name: "value of another", op: link.OpState, node: "link/household", up: 9, down: append([]string{"shutdown in 2"}, down...),
			config: func(c *link.Config) {
				store := new(state.Memory)
				_, err := store.Put(context.Background(), "link/household", []byte("[]"), 0)
				if err != nil {
					panic(err)
				}
				c.State = store
			},
			errs: []string{`the value of "link/household" is not one of a link`},
		},
		{
			name: "seek", op: link.OpSeek, node: "in 1", up: 10, down: append([]string{"shutdown in 2"}, down...),
			config: func(c *link.Config) {
				c.Inlets[0].(*tape).onSeek = func(context.Context) error { return errBad }
			},
			errs: []string{"link household: seek in 1: bad"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := new(diary)
			c := household(d, tt.change)
			if tt.config != nil {
				tt.config(&c)
			}
			l, err := link.New(c)
			require.NoError(t, err)
			err = l.Start(t.Context())
			require.Error(t, err)
			for _, text := range tt.errs {
				require.ErrorContains(t, err, text)
			}
			if tt.name != "value of another" {
				require.ErrorIs(t, err, errBad)
			}
			assert.Equal(t, []string{tt.node}, nodesOf(err, tt.op))
			assert.Equal(t, append(household1[:tt.up:tt.up], tt.down...), d.take())
			assert.False(t, l.Ready())
			_, err = l.Transfer(t.Context(), link.Tick{})
			require.ErrorIs(t, err, link.ErrStopped)
			_, err = l.Shutdown(t.Context())
			require.NoError(t, err)
			assert.Empty(t, d.take())
			require.Error(t, l.Start(t.Context()), "it may be tried again")
			assert.Equal(t, household1[:tt.up], d.take()[:tt.up])
		})
	}
}

// A call that hangs while the link is started is left behind when ctx ends, or when
// somebody calls Shutdown.
func TestStartIsBounded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rig   func(*trap, *link.Config)
		node  string
		stays []string // what the diary says when the call has returned
	}{
		{"Start", func(tr *trap, c *link.Config) {
			c.Processors[0].(*pipe).onStart = func(context.Context) error { tr.step(); return nil }
		}, "p 1", []string{"shutdown p 1"}},
		{"Start that fails late", func(tr *trap, c *link.Config) {
			c.Processors[0].(*pipe).onStart = func(context.Context) error {
				if tr.step() {
					return errDown
				}
				return nil
			}
		}, "p 1", nil},
		{"Get", func(tr *trap, c *link.Config) {
			c.State = &vault{get: func(_ int, do func() ([]byte, int64, error)) ([]byte, int64, error) { tr.step(); return do() }}
		}, "store", nil},
		{"Seek", func(tr *trap, c *link.Config) {
			c.Inlets[1].(*tape).onSeek = func(context.Context) error { tr.step(); return nil }
		}, "in 2", nil},
	}
	for _, tt := range tests {
		for _, how := range []string{"context", "Shutdown"} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := new(diary)
					tr := newTrap()
					defer tr.release()
					c := household(d, nil)
					tt.rig(tr, &c)
					l, err := link.New(c)
					require.NoError(t, err)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					want, cause := time.Minute, error(context.DeadlineExceeded)
					if how == "Shutdown" {
						want, cause = time.Second, link.ErrStopped
						go func() {
							time.Sleep(time.Second)
							began := time.Now()
							report, err := l.Shutdown(context.Background())
							assert.NoError(t, err)
							assert.Equal(t, link.Report{}, report)
							assert.Equal(t, 500*time.Millisecond, time.Since(began))
						}()
					}
					began := time.Now()
					err = l.Start(ctx)
					assert.Equal(t, want+500*time.Millisecond, time.Since(began))
					require.ErrorContains(t, err, "abandoned")
					require.ErrorIs(t, err, cause)
					ups, downs := 0, 0
					for _, line := range d.take() {
						switch line[:2] {
						case "st":
							ups++
						case "sh":
							downs++
						}
					}
					if tt.node == "p 1" {
						ups--
					}
					assert.Equal(t, ups, downs)
					assert.Equal(t, []string{tt.node}, l.Busy())

					require.ErrorContains(t, l.Start(t.Context()), "still running: "+tt.node)
					assert.Empty(t, d.take())
					tr.release()
					synctest.Wait()
					assert.Equal(t, tt.stays, d.take())
					require.NoError(t, l.Start(t.Context()))
					assert.Equal(t, household1, d.take())
					_, err = l.Shutdown(t.Context())
					require.NoError(t, err)
				})
			})
		}
	}
}

// A start that is given up while nothing hangs is undone.
func TestStartIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, obedient := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := new(diary)
			l, err := link.New(household(d, func(n *life) {
				if n.name == "in 2" {
					n.onStart = func(ctx context.Context) error {
						if obedient {
							return obey(ctx)
						}
						_, err := link.FromContext(ctx).Shutdown(ctx) // from inside it returns at once
						return err
					}
				}
			}))
			require.NoError(t, err)
			if obedient {
				time.AfterFunc(time.Second, func() { l.Shutdown(context.Background()) })
			}
			require.ErrorIs(t, l.Start(t.Context()), link.ErrStopped)
			lines := d.take()
			assert.Equal(t, "shutdown out 1", lines[len(lines)-1])
			assert.False(t, l.Ready())
			assert.Empty(t, l.Busy())
		})
	}
}

func TestStartWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDown)
	d := new(diary)
	l, err := link.New(household(d, nil))
	require.NoError(t, err)
	require.ErrorIs(t, l.Start(ctx), errDown)
	assert.Empty(t, d.take(), "no node is called")
	require.NoError(t, l.Start(t.Context()))
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
}

// After a Shutdown a link starts empty, from what is committed.
func TestStartAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := true
		d := new(diary)
		out := &tank{onPush: func(_ context.Context, records []record.Record, _ record.Update) error {
			if down && records[0].Payload.(int) > 6 {
				return errDown
			}
			return nil
		}}
		l, err := link.New(link.Config{
			Inlets:     inlets(&tape{pump: pump{life: life{name: "in", diary: d}}, values: values(1, 8), per: 2}),
			Processors: []record.Processor{&keeper{name: "buffer", size: 3}},
			Outlets:    outlets(out),
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		l.Transfer(t.Context(), link.Tick{Reason: record.Flush}) // nothing
		for range 3 {                                            // 1 2 held, 1-4 released, 5 6 held
			l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		}
		report, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, list(1, 2, 3, 4, 5, 6), out.content())
		assert.Equal(t, int64(2), report.Lanes[0].Delivered)

		require.NoError(t, l.Start(t.Context()))
		l.Transfer(t.Context(), link.Tick{Reason: record.Forced}) // 7 8 held
		report, err = l.Shutdown(t.Context())
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, int64(2), report.Lanes[0].Abandoned)
		assert.Zero(t, report.Lanes[0].Lost)

		down = false
		d.take()
		require.NoError(t, l.Start(t.Context()))
		assert.Equal(t, "seek in 6", d.take()[1])
		assert.Zero(t, l.Account().Held)
		for range 2 {
			l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		}
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, list(1, 2, 3, 4, 5, 6, 7, 8), out.content())
		require.NoError(t, l.Account().Balance())
	})
}

// The context of calls is the link's own: it outlives the one of Start, keeps its
// values, and ends when Shutdown gives up.
func TestContextOfCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var l *link.Link
		seen := make(map[string]context.Context)
		note := func(what string, ctx context.Context) {
			seen[what] = ctx
			assert.Same(t, l, link.FromContext(ctx), what)
			assert.Equal(t, "value", ctx.Value(key{}), what)
			assert.NoError(t, ctx.Err(), what)
		}
		n := func(name string) life {
			return life{
				name:       name,
				onStart:    func(ctx context.Context) error { note("start "+name, ctx); return nil },
				onShutdown: func(ctx context.Context) error { note("shutdown "+name, ctx); return nil },
			}
		}
		l, err := link.New(link.Config{
			Name:  "contexts",
			State: &vaultOf{note: note},
			Inlets: inlets(&tape{pump: pump{life: n("in"), onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
				note("pull", ctx)
				return nil, nil
			}}, values: values(1, 2), per: 2, onSeek: func(ctx context.Context) error { note("seek", ctx); return nil }}),
			Processors: []record.Processor{&pipe{life: n("p"), onProcess: func(ctx context.Context, r []record.Record) ([]record.Record, error) {
				note("process", ctx)
				return r, nil
			}}},
			Groupers: []record.Grouper{&cutter{onGroup: func(ctx context.Context) error { note("group", ctx); return nil }}},
			Outlets: outlets(&tank{life: n("out"), onPush: func(ctx context.Context, _ []record.Record, _ record.Update) error {
				note("push", ctx)
				return errDown
			}}),
			OnError:  func(ctx context.Context, _ *link.Error) error { note("OnError", ctx); return nil },
			OnReport: func(ctx context.Context, _ link.Report) { note("OnReport", ctx) },
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		require.NoError(t, l.Start(ctx))
		cancel()
		_, err = l.Transfer(context.Background(), link.Tick{})
		require.NoError(t, err)
		_, err = l.Shutdown(context.Background())
		require.NoError(t, err)
		require.Len(t, seen, 14)
		for what, ctx := range seen {
			require.ErrorIs(t, ctx.Err(), context.Canceled, what)
			if what != "start in" && what != "start p" && what != "start out" && what != "seek" && what != "Get" {
				require.ErrorIs(t, context.Cause(ctx), link.ErrStopped, what)
			}
		}
		assert.Nil(t, link.FromContext(context.Background()))
	})
}

type vaultOf struct {
	state.Memory
	note func(string, context.Context)
}

func (v *vaultOf) Get(ctx context.Context, key string) ([]byte, int64, error) {
	v.note("Get", ctx)
	return v.Memory.Get(ctx, key)
}

// Nodes without a lifecycle need none.
func TestStartOfPlainNodes(t *testing.T) {
	t.Parallel()
	l, err := link.New(link.Config{Inlets: inlets(inlet.Values(1, 2)), Outlets: outlets(outlet.Discard())})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	r, err := l.Transfer(t.Context(), link.Tick{})
	require.NoError(t, err)
	assert.Equal(t, "pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced", r.String())
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
}
