package link_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
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
)

// An inlet is removed when its pull has returned, and what it pulled is delivered.
func TestRemoveInletWaits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		pull   time.Duration
		ctx    time.Duration
		waited time.Duration
		err    string
	}{
		{"for a pull", 3 * time.Second, time.Minute, 2 * time.Second, ""},
		{"until the context ends", 2 * time.Hour, 5 * time.Second, 5 * time.Second, "remove inlet in: its pull has not returned: context deadline exceeded"},
		{"until ShutdownTimeout has passed", 2 * time.Hour, time.Hour, 30 * time.Second, "remove inlet in: its pull has not returned: context deadline exceeded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(diary)
				l, in, out := changing(t, d, true, nil)
				in.onPull = func(context.Context, record.Update) ([]record.Record, error) {
					time.Sleep(tt.pull)
					d.note("pulled")
					return of(1, 2), nil
				}
				go l.Transfer(context.Background(), link.Tick{})
				time.Sleep(time.Second)
				d.take()
				ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
				defer cancel()
				began := time.Now()
				err := l.RemoveInlets(ctx, in)
				assert.Equal(t, tt.waited, time.Since(began))
				assert.Empty(t, l.Inlets())
				if tt.err == "" {
					require.NoError(t, err)
					synctest.Wait() // for the push, which the inlet is not asked about
					lines := d.take()
					assert.Equal(t, []string{"pulled", "push out", "shutdown in"}, slices.Sorted(slices.Values(lines)))
					assert.Less(t, slices.Index(lines, "pulled"), slices.Index(lines, "shutdown in"))
				} else {
					require.ErrorContains(t, err, tt.err)
					assert.Equal(t, []string{"shutdown in"}, d.take())
					require.ErrorContains(t, l.AddInlets(t.Context(), in), "a call of in that was given up is still running")
					assert.Equal(t, []string{"in"}, l.Busy())
				}
				time.Sleep(3 * time.Hour)
				assert.Equal(t, list(1, 2), out.content())
				require.NoError(t, l.AddInlets(t.Context(), in))
				shut(t, l)
			})
		})
	}
}

// The lane of an outlet that is removed delivers what it has.
func TestRemoveOutletDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		var last link.Report
		l, in, out := changing(t, d, true, func(c *link.Config) { c.OnReport = func(_ context.Context, r link.Report) { last = r } })
		in.onPull = func(context.Context, record.Update) ([]record.Record, error) { return of(1, 2), nil }
		slow := &tank{life: life{name: "slow", diary: d}, onPush: func(context.Context, []record.Record, record.Update) error {
			time.Sleep(time.Second)
			return nil
		}}
		require.NoError(t, l.AddLanes(t.Context(), link.Lane{Outlet: slow, Processors: []record.Processor{&keeper{name: "buffer", size: 3}}}))
		for range 5 { // of 10 records 2 are held, others are under way
			go l.Transfer(context.Background(), link.Tick{})
			time.Sleep(100 * time.Millisecond)
		}
		began := time.Now()
		require.NoError(t, l.RemoveOutlets(t.Context(), slow))
		assert.Equal(t, 3600*time.Millisecond, time.Since(began), "four pushes, as many transfers release something")
		assert.Len(t, slow.content(), 10, "what is held is released")
		lines := d.take()
		assert.Equal(t, "shutdown slow", lines[len(lines)-1])
		transferred(t, l)
		synctest.Wait()
		require.Len(t, last.Lanes, 2)
		assert.Equal(t, "slow", last.Lanes[1].Name, "the next report tells about it")
		assert.Len(t, out.content(), 12)
		assert.Len(t, l.Account().Lanes, 1)
		shut(t, l)
	})
}

// What a removed outlet does not take is dropped, and holds no commit back.
func TestRemoveOutletDrops(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		lane    link.Lane
		push    func(context.Context) error
		hung    bool
		at0     bool // nothing is waited for
		dropped string
	}{
		{name: "refused", push: func(context.Context) error { return errDown }, dropped: "remove outlet bad: 4 records dropped"},
		{name: "refused for good", push: func(context.Context) error { return record.Permanent(errDown) }, dropped: "4 records dropped"},
		{name: "hung", push: func(context.Context) error { time.Sleep(2 * time.Hour); return nil }, hung: true, dropped: "4 records dropped"},
		{
			name: "before a processor", dropped: "4 records dropped",
			lane: link.Lane{Processors: []record.Processor{&pipe{onProcess: func(context.Context, []record.Record) ([]record.Record, error) { return nil, errDown }}}},
		},
		{
			name: "hung in a processor", hung: true, dropped: "4 records dropped",
			lane: link.Lane{Processors: []record.Processor{&pipe{life: life{name: "p"}, onProcess: func(context.Context, []record.Record) ([]record.Record, error) {
				time.Sleep(2 * time.Hour)
				return nil, nil
			}}}},
		},
		{
			name: "in a holder that does not let go", at0: true, dropped: "4 records dropped",
			lane: link.Lane{Processors: []record.Processor{&miser{}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(diary)
				store := new(vault)
				var dropped int64
				l, _, out := changing(t, d, true, func(c *link.Config) {
					c.State = store
					c.Inlets = inlets(counting("n", 2, 100))
					c.OnReport = func(_ context.Context, r link.Report) {
						for _, lane := range r.Lanes {
							dropped += lane.Dropped
						}
					}
				})
				bad := &tank{life: life{name: "bad", diary: d}, onPush: func(ctx context.Context, _ []record.Record, _ record.Update) error {
					if tt.push == nil {
						return nil
					}
					return tt.push(ctx)
				}}
				lane := tt.lane
				lane.Outlet = bad
				require.NoError(t, l.AddLanes(t.Context(), lane))
				for range 2 {
					go l.Transfer(context.Background(), link.Tick{})
					time.Sleep(time.Second)
				}
				synctest.Wait()
				assert.Empty(t, store.written(), "nothing is committed")
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				began := time.Now()
				err := l.RemoveOutlets(ctx, bad)
				require.ErrorContains(t, err, tt.dropped)
				if tt.at0 {
					assert.Zero(t, time.Since(began))
				} else {
					assert.Equal(t, 10*time.Second, time.Since(began))
				}
				assert.Contains(t, d.take(), "shutdown bad")
				synctest.Wait()
				require.Len(t, store.written(), 1)
				assert.Contains(t, store.written()[0], `"position":"NA=="`)
				if tt.hung {
					require.ErrorContains(t, err, "abandoned")
					require.ErrorContains(t, l.AddOutlets(t.Context(), bad), "that was given up is still running")
				} else {
					require.NoError(t, l.AddOutlets(t.Context(), bad))
					require.Error(t, l.RemoveOutlets(ctx, out, out))
					tt.push, tt.lane = nil, link.Lane{}
				}
				transfer(t, l)
				assert.Equal(t, int64(4), dropped)
				time.Sleep(3 * time.Hour)
				assert.Equal(t, values(1, 6), out.content())
				_, err = l.Shutdown(t.Context())
				require.NoError(t, err)
				require.NoError(t, l.Account().Balance())
			})
		})
	}
}

// miser is a holder that keeps everything.
type miser struct{ n int }

func (m *miser) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	m.n += len(records)
	return nil, nil
}
func (m *miser) Holding() record.Holding { return record.Holding{Records: m.n, Span: m.n} }
func (m *miser) Flush()                  {}

// A lane that came late passes for nobody what it has never been given.
func TestRemovedLaneKnowsItsBarriers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		store := new(vault)
		var down sync.Mutex
		l, _, out := changing(t, d, true, func(c *link.Config) {
			c.State = store
			c.Inlets = inlets(counting("n", 1, 100))
			c.Outlets = append(c.Outlets, &tank{})
		})
		refuses := true
		out.onPush = func(context.Context, []record.Record, record.Update) error {
			down.Lock()
			defer down.Unlock()
			if refuses {
				return errDown
			}
			return nil
		}
		for range 3 {
			l.Transfer(t.Context(), link.Tick{})
		}
		bad := &tank{onPush: func(context.Context, []record.Record, record.Update) error { return errDown }}
		require.NoError(t, l.AddOutlets(t.Context(), bad))
		l.Transfer(t.Context(), link.Tick{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorContains(t, l.RemoveOutlets(ctx, bad), "1 records dropped")
		synctest.Wait()
		assert.Empty(t, store.written(), "out has delivered nothing")
		down.Lock()
		refuses = false
		down.Unlock()
		transfer(t, l) // whose error may be that of the last push of bad
		synctest.Wait()
		assert.Equal(t, values(1, 5), out.content())
		assert.Contains(t, store.written()[len(store.written())-1], `"position":"NQ=="`)
	})
}

// A Shutdown that begins while an outlet is removed drops nothing: it does what is
// left.
func TestRemoveDuringShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		l, in, out := changing(t, d, true, func(c *link.Config) {
			c.Inlets = append(c.Inlets, counting("n", 3, 3))
		})
		slow := &tank{life: life{name: "slow", diary: d}, onPush: func(context.Context, []record.Record, record.Update) error {
			time.Sleep(time.Second)
			return errDown
		}}
		require.NoError(t, l.AddLanes(t.Context(), link.Lane{Outlet: slow}))
		go l.Transfer(context.Background(), link.Tick{})
		time.Sleep(100 * time.Millisecond)
		removed := make(chan error, 2)
		go func() { removed <- l.RemoveOutlets(context.Background(), slow) }()
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		r, err := l.Shutdown(t.Context())
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, 1800*time.Millisecond, time.Since(began), "one push, and the last offer")
		require.NoError(t, <-removed)
		require.Len(t, r.Lanes, 2)
		assert.Equal(t, int64(3), r.Lanes[1].Abandoned)
		assert.Zero(t, r.Lanes[1].Dropped)
		assert.Zero(t, r.Lanes[1].Lost)
		assert.Equal(t, outlets(out), l.Outlets())
		assert.Contains(t, d.take(), "shutdown slow")

		// The same with an inlet.
		in.onPull = func(context.Context, record.Update) ([]record.Record, error) {
			time.Sleep(time.Second)
			return of(7), nil
		}
		require.NoError(t, l.Start(t.Context()))
		go l.Transfer(context.Background(), link.Tick{})
		time.Sleep(100 * time.Millisecond)
		d.take()
		go func() { removed <- l.RemoveInlets(context.Background(), in) }()
		time.Sleep(100 * time.Millisecond)
		began = time.Now()
		shut(t, l)
		assert.Equal(t, 800*time.Millisecond, time.Since(began))
		require.NoError(t, <-removed)
		assert.Equal(t, []string{"push out", "shutdown in", "shutdown out"}, d.take())
		assert.Contains(t, out.content(), 7)
		assert.Len(t, l.Inlets(), 1)
	})
}

// Nodes come and go while transfers are made. What is there all the time misses
// nothing, in order.
func TestChangesWhileRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const transfers = 200
		d := new(diary)
		out := &tank{}
		l, err := link.New(link.Config{
			Name:       "busy",
			State:      new(vault),
			Inlets:     inlets(counting("steady", 2, 2*transfers)),
			Outlets:    outlets(out),
			Processors: []record.Processor{&keeper{name: "buffer", size: 5}},
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		var wg sync.WaitGroup
		done := make(chan struct{})
		churn := func(f func()) {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(rand.N(20 * time.Millisecond)):
						f()
					}
				}
			})
		}
		tolerable := func(err error) {
			if err != nil {
				assert.ErrorContains(t, err, "records dropped")
			}
		}
		for range 2 {
			churn(func() {
				in := inlet.Inlet(&pump{onPull: func(context.Context, record.Update) ([]record.Record, error) {
					time.Sleep(rand.N(5 * time.Millisecond))
					return of("x"), nil
				}})
				another := &pump{}
				assert.NoError(t, l.AddInlets(t.Context(), in, another))
				time.Sleep(rand.N(20 * time.Millisecond))
				assert.NoError(t, l.RemoveInlets(t.Context(), another, in))
			})
			churn(func() {
				o := &tank{life: life{diary: d}, onPush: func(context.Context, []record.Record, record.Update) error {
					time.Sleep(rand.N(30 * time.Millisecond))
					if rand.N(4) == 0 {
						return errDown
					}
					return nil
				}}
				assert.NoError(t, l.AddLanes(t.Context(), link.Lane{Outlet: o, Processors: []record.Processor{&keeper{name: "b", size: 3}}}))
				time.Sleep(rand.N(50 * time.Millisecond))
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(50*time.Millisecond))
				defer cancel()
				err := l.RemoveOutlets(ctx, o)
				if errors.Is(err, context.DeadlineExceeded) { // another change took too long
					err = l.RemoveOutlets(t.Context(), o)
				}
				tolerable(err)
			})
		}
		churn(func() {
			assert.NoError(t, l.Account().Balance())
			l.Inlets()
			l.Outlets()
			l.Busy()
			l.Ready()
			l.Wake()
		})
		for range transfers {
			r, err := l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			assert.NoError(t, r.Balance())
			assert.NotErrorIs(t, err, link.ErrUnbalanced)
			time.Sleep(rand.N(10 * time.Millisecond))
		}
		close(done)
		wg.Wait()
		r, err := l.Shutdown(t.Context())
		assert.NotErrorIs(t, err, link.ErrUnbalanced)
		assert.NoError(t, r.Balance())
		assert.NoError(t, l.Account().Balance())
		var steady []any
		for _, v := range out.content() {
			if _, ok := v.(int); ok {
				steady = append(steady, v)
			}
		}
		assert.Equal(t, values(1, 2*transfers), steady)
		ups, downs := 0, 0
		for _, line := range d.take() {
			switch line {
			case "start ":
				ups++
			case "shutdown ":
				downs++
			}
		}
		assert.NotZero(t, ups)
		assert.Equal(t, ups, downs)
		time.Sleep(time.Second) // for pushes that were left behind
	})
}

// A node of which a function is made can be removed if it has a name.
func TestRemoveByDecorator(t *testing.T) {
	t.Parallel()
	f := outlet.Named("f", outlet.Func(func(context.Context, []record.Record, record.Update) error { return errors.New("never") }))
	l, _, _ := changing(t, new(diary), false, nil)
	require.NoError(t, l.AddOutlets(t.Context(), f))
	require.NoError(t, l.RemoveOutlets(t.Context(), f))
	require.ErrorIs(t, l.RemoveOutlets(t.Context(), f), link.ErrUnknownNode)
}

// Who has begun a transfer does not wait for lanes that were removed, also if only
// optional ones are left.
func TestRemoveAllRequiredOutlets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(name string) *tank {
			return &tank{life: life{name: name}, onPush: func(context.Context, []record.Record, record.Update) error {
				time.Sleep(time.Second)
				return nil
			}}
		}
		a, b := slow("a"), slow("b")
		l := started(t, link.Config{
			Name: "l", Inlets: inlets(&pump{onPull: func(context.Context, record.Update) ([]record.Record, error) { return of(1), nil }}),
			Lanes: []link.Lane{{Outlet: a}, {Outlet: b}, {Outlet: &tank{life: life{name: "c"}}, Optional: true}},
		})
		begun := make(chan struct{})
		go func() {
			l.Begin(link.Tick{})
			close(begun)
		}()
		synctest.Wait()
		require.NoError(t, l.RemoveOutlets(t.Context(), a, b))
		synctest.Wait()
		select {
		case <-begun:
		default:
			t.Error("it waits")
		}
	})
}
