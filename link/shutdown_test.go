package link_test

import (
	"context"
	"errors"
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

// obey waits for the end of ctx.
func obey(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// once returns a pull that yields the values and then nothing.
func once(values ...any) func(context.Context, record.Update) ([]record.Record, error) {
	return func(context.Context, record.Update) ([]record.Record, error) {
		records := of(values...)
		values = nil
		return records, nil
	}
}

func TestShutdownOfNothing(t *testing.T) {
	t.Parallel()
	l, err := link.New(link.Config{Inlets: inlets(inlet.Null()), Outlets: outlets(outlet.Discard())})
	require.NoError(t, err)
	for _, step := range []string{"before the start", "twice", "again"} {
		report, err := l.Shutdown(t.Context())
		require.NoError(t, err, step)
		assert.Equal(t, link.Report{}, report, step)
		if step == "before the start" {
			require.NoError(t, l.Start(t.Context()))
			_, err := l.Shutdown(t.Context())
			require.NoError(t, err)
		}
	}
}

// Nodes that return when their context ends are not named, and nothing waits longer
// than they take.
func TestShutdownOfTheObedient(t *testing.T) {
	t.Parallel()
	pull := func(ctx context.Context, _ record.Update) ([]record.Record, error) { return nil, obey(ctx) }
	process := func(ctx context.Context, _ []record.Record) ([]record.Record, error) { return nil, obey(ctx) }
	push := func(ctx context.Context, _ []record.Record, _ record.Update) error { return obey(ctx) }
	tests := []struct {
		name  string
		c     link.Config
		took  time.Duration
		fails []string // nodes with an error of their own
	}{
		{"Pull", link.Config{Inlets: inlets(&pump{life: life{name: "in"}, onPull: pull}, &pump{onPull: once(1)})}, 5 * time.Second, []string{"in"}},
		{"Process", link.Config{Processors: []record.Processor{&pipe{life: life{name: "p"}, onProcess: process}}}, 5 * time.Second, []string{"p"}},
		{"Group", link.Config{Groupers: []record.Grouper{&cutter{life: life{name: "g"}, onGroup: obey}}}, 5 * time.Second, []string{"groupers"}},
		{"Push", link.Config{Outlets: outlets(&tank{life: life{name: "out"}, onPush: push})}, 5 * time.Second, []string{"out"}},
		{"Process of a lane", link.Config{Lanes: []link.Lane{{
			Outlet:     &tank{life: life{name: "out"}},
			Processors: []record.Processor{&pipe{life: life{name: "p"}, onProcess: process}},
		}}}, 5 * time.Second, []string{"p"}},
		{"Shutdown of an inlet", link.Config{Inlets: inlets(&pump{life: life{name: "in", onShutdown: obey}, onPull: once(1)})}, 5600 * time.Millisecond, []string{"in"}},
		{"Shutdown of an outlet", link.Config{Outlets: outlets(&tank{life: life{name: "out", onShutdown: obey}})}, 5600 * time.Millisecond, []string{"out"}},
		{"OnError", link.Config{
			Outlets: outlets(&tank{life: life{name: "out"}, onPush: func(context.Context, []record.Record, record.Update) error { return errDown }}),
			OnError: func(ctx context.Context, err *link.Error) error { obey(ctx); return err },
		}, 5 * time.Second, []string{"out"}},
		{"OnReport", link.Config{OnReport: func(ctx context.Context, _ link.Report) { obey(ctx) }}, 5 * time.Second, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := tt.c
				c.ShutdownTimeout = 5 * time.Second
				if c.Inlets == nil {
					c.Inlets = inlets(&pump{onPull: once(1, 2, 3)})
				}
				if c.Outlets == nil && c.Lanes == nil {
					c.Outlets = outlets(&tank{})
				}
				l, err := link.New(c)
				require.NoError(t, err)
				require.NoError(t, l.Start(t.Context()))
				failed := make(chan error, 1)
				go func() {
					_, err := l.Transfer(context.Background(), link.Tick{})
					failed <- err
				}()
				time.Sleep(time.Second)
				began := time.Now()
				report, err := l.Shutdown(t.Context())
				assert.Equal(t, tt.took, time.Since(began))
				err = errors.Join(err, <-failed)
				for _, name := range tt.fails {
					assert.ErrorContains(t, err, " "+name+": ")
				}
				if err != nil {
					assert.NotContains(t, err.Error(), "abandoned")
				}
				assert.NoError(t, report.Balance())
				assert.NoError(t, l.Account().Balance())
				assert.Empty(t, l.Busy())
				require.NoError(t, l.Start(t.Context()))
				_, err = l.Shutdown(t.Context())
				assert.NotErrorIs(t, err, link.ErrRunning)
			})
		})
	}
}

// A node that hangs in its Shutdown keeps the others from nothing.
func TestShutdownOfTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		tr := newTrap()
		defer tr.release()
		node := func(name string, onShutdown func(context.Context) error) life {
			return life{name: name, diary: d, onShutdown: onShutdown}
		}
		hang := func(context.Context) error { <-tr.open; return nil }
		moment := func(context.Context) error { time.Sleep(90 * time.Millisecond); return nil }
		l, err := link.New(link.Config{
			Inlets:     inlets(&pump{life: node("in 1", moment)}, &pump{life: node("in 2", hang)}, &pump{life: node("in 3", moment)}),
			Processors: []record.Processor{&pipe{life: node("p", obey)}},
			Outlets:    outlets(&tank{life: node("out 1", hang)}, &tank{life: node("out 2", func(context.Context) error { return errDown })}),
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		d.take()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = l.Shutdown(ctx)
		assert.Equal(t, 1850*time.Millisecond, time.Since(began))
		assert.ElementsMatch(t, []string{"in 2", "p", "out 1", "out 2"}, nodesOf(err, link.OpShutdown))
		assert.ErrorContains(t, err, "shutdown in 2: abandoned")
		assert.ErrorContains(t, err, "shutdown out 1: abandoned")
		assert.ErrorContains(t, err, "shutdown out 2: 503")
		assert.ErrorContains(t, err, "shutdown p: link: stopped")
		assert.ElementsMatch(t, []string{"shutdown in 3", "shutdown in 2", "shutdown in 1", "shutdown p", "shutdown out 2", "shutdown out 1"}, d.take())
		assert.Equal(t, []string{"in 2", "out 1"}, l.Busy())
	})
}

// Until its time has ended a stop is soft: what is going on comes to its end.
func TestShutdownIsSoft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slowly := func(context.Context, record.Update) ([]record.Record, error) {
			time.Sleep(3 * time.Second)
			return of(1, 2), nil
		}
		var ended error
		out := &tank{onPush: func(ctx context.Context, _ []record.Record, _ record.Update) error {
			time.Sleep(3 * time.Second)
			ended = ctx.Err()
			return nil
		}}
		l, err := link.New(link.Config{Inlets: inlets(&pump{onPull: slowly}), Outlets: outlets(out)})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		var interrupted link.Report
		var refused error
		go l.Transfer(context.Background(), link.Tick{})
		time.Sleep(time.Second)
		go func() { interrupted, refused = l.Transfer(context.Background(), link.Tick{Reason: record.Forced}) }()
		synctest.Wait()
		began := time.Now()
		report, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 5*time.Second, time.Since(began))
		synctest.Wait()
		assert.NoError(t, ended, "the context of calls lives")
		assert.Equal(t, list(1, 2), out.content())
		assert.Equal(t, link.Ran, report.Outcome)
		assert.Equal(t, record.Flush, report.Reason)
		assert.ErrorIs(t, refused, link.ErrStopped)
		assert.Equal(t, link.Interrupted, interrupted.Outcome)
		_, err = l.Transfer(t.Context(), link.Tick{})
		require.ErrorIs(t, err, link.ErrStopped)
	})
}

func TestShutdownDelivers(t *testing.T) {
	t.Parallel()
	fails := func(n int, err error) func(context.Context, []record.Record, record.Update) error {
		return func(context.Context, []record.Record, record.Update) error {
			if n--; n >= 0 {
				return err
			}
			return nil
		}
	}
	tests := []struct {
		name      string
		c         link.Config
		lane      link.Lane
		push      func(context.Context, []record.Record, record.Update) error
		wait      time.Duration // before the Shutdown
		delivered []any
		account   string
		err       string
	}{
		{
			name:      "what the link holds",
			c:         link.Config{Processors: []record.Processor{&keeper{name: "buffer", size: 10}, record.Filter(func(n int) bool { return n != 2 })}},
			delivered: list(1, 3),
			account:   "pulled 3 filtered 1 held 0 pending 0 delivered 2 dropped 0 balanced",
		},
		{
			name:      "what the lane holds",
			lane:      link.Lane{Processors: []record.Processor{&keeper{name: "buffer", size: 10}, record.Filter(func(n int) bool { return n != 2 })}},
			delivered: list(1, 3),
			account:   "pulled 3 filtered 1 held 0 pending 0 delivered 2 dropped 0 balanced",
		},
		{
			name:      "what both hold",
			c:         link.Config{Processors: []record.Processor{&keeper{name: "buffer", size: 10}}},
			lane:      link.Lane{Processors: []record.Processor{&keeper{name: "another", size: 10}}},
			delivered: list(1, 2, 3),
			account:   "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
		},
		{
			name:      "what is pending",
			push:      fails(1, errDown),
			delivered: list(1, 2, 3),
			account:   "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
		},
		{
			name:      "what is held and then refused",
			c:         link.Config{Processors: []record.Processor{&keeper{name: "buffer", size: 10}}},
			push:      fails(1, errDown),
			delivered: list(),
			account:   "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 balanced",
			err:       "push tank: 503 (3 kept)",
		},
		{
			name:      "not what is refused again",
			push:      fails(2, errDown),
			delivered: list(),
			account:   "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 balanced",
			err:       "push tank: 503 (3 kept)",
		},
		{
			name:      "what asks for a RetryAfter: no pause is waited for",
			push:      fails(1, record.RetryAfter(time.Minute, errDown)),
			wait:      time.Second,
			delivered: list(1, 2, 3),
			account:   "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
		},
		{
			name: "what a processor has failed with",
			c: link.Config{Processors: []record.Processor{&pipe{onProcess: func() func(context.Context, []record.Record) ([]record.Record, error) {
				failed := false
				return func(_ context.Context, records []record.Record) ([]record.Record, error) {
					if !failed {
						failed = true
						return nil, errDown
					}
					return records, nil
				}
			}()}}},
			delivered: list(1, 2, 3),
			account:   "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := new(state.Memory)
				out := &tank{life: life{name: "tank"}, onPush: tt.push}
				c, lane := tt.c, tt.lane
				lane.Outlet = out
				c.Name, c.State = "delivers", store
				c.Inlets = inlets(&tape{pump: pump{life: life{name: "in"}}, values: values(1, 3), per: 3})
				c.Lanes = []link.Lane{lane}
				l, err := link.New(untried(c))
				require.NoError(t, err)
				require.NoError(t, l.Start(t.Context()))
				l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
				time.Sleep(tt.wait)
				report, err := l.Shutdown(t.Context())
				if tt.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tt.err)
				}
				assert.NoError(t, report.Balance())
				assert.Equal(t, tt.delivered, append([]any{}, out.content()...))
				assert.Equal(t, tt.account, l.Account().String())
				value, _, err := store.Get(t.Context(), "link/delivers")
				require.NoError(t, err)
				if len(tt.delivered) > 0 {
					assert.Contains(t, string(value), `"position":"Mw=="`, "it is committed")
				} else {
					assert.NotContains(t, string(value), "position")
				}
			})
		})
	}
}

// A lane that is busy when the last transfer is handed over offers once more.
func TestShutdownOffersOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		out := &tank{onPush: func(context.Context, []record.Record, record.Update) error {
			time.Sleep(time.Second)
			if n++; n == 1 {
				return errDown
			}
			return nil
		}}
		l, err := link.New(link.Config{Inlets: inlets(&pump{onPull: once(1)}), Outlets: outlets(out)})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		go l.Transfer(context.Background(), link.Tick{})
		synctest.Wait()
		report, err := l.Shutdown(t.Context())
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, list(1), out.content())
		assert.Equal(t, 2, n)
		assert.Zero(t, report.Lanes[0].Abandoned)
	})
}

func TestShutdownWithAnEndedContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &tank{onPush: func(ctx context.Context, _ []record.Record, _ record.Update) error { return obey(ctx) }}
		l, err := link.New(link.Config{Inlets: inlets(&pump{onPull: once(1, 2)}), Outlets: outlets(out)})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		go l.Transfer(context.Background(), link.Tick{})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		report, err := l.Shutdown(ctx)
		require.ErrorIs(t, err, link.ErrStopped)
		assert.Zero(t, time.Since(began))
		assert.Equal(t, "pulled 2 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 2 lost 2 balanced", l.Account().String())
		assert.NoError(t, report.Balance())
	})
}

// Of the bounds the first one counts; without any there is none.
func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		timeout       time.Duration
		ctx           time.Duration
		wantInSeconds float64
	}{
		{"default", 0, 0, 30.5},
		{"default, and a longer context", 0, time.Minute, 30.5},
		{"context", time.Minute, 2 * time.Second, 2.5},
		{"none and a context", -1, 2 * time.Second, 2.5},
		{"none", -1, 0, 3600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hung := &pump{onPull: func(context.Context, record.Update) ([]record.Record, error) {
					time.Sleep(time.Hour)
					return nil, nil
				}}
				l, err := link.New(link.Config{Inlets: inlets(hung), Outlets: outlets(&tank{}), ShutdownTimeout: tt.timeout})
				require.NoError(t, err)
				require.NoError(t, l.Start(t.Context()))
				go l.Transfer(context.Background(), link.Tick{})
				synctest.Wait()
				ctx := t.Context()
				if tt.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
					defer cancel()
				}
				began := time.Now()
				l.Shutdown(ctx)
				assert.InDelta(t, tt.wantInSeconds, time.Since(began).Seconds(), 1e-9)
				time.Sleep(time.Hour)
			})
		})
	}
}

// Several callers get the same result. The end of the time of one ends that of all.
func TestShutdownFromAllSides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		var reports []link.Report
		l, err := link.New(link.Config{
			Inlets: inlets(&pump{life: life{name: "in", diary: d}, onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
				return of(1), obey(ctx)
			}}),
			Outlets:  outlets(&tank{life: life{name: "out", diary: d}}),
			OnReport: func(_ context.Context, r link.Report) { reports = append(reports, r) },
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		go l.Transfer(context.Background(), link.Tick{})
		synctest.Wait()
		d.take()
		began := time.Now()
		var wg sync.WaitGroup
		got := make([]link.Report, 8)
		errs := make([]error, 8)
		for i := range got {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second-time.Duration(i)*time.Second)
				defer cancel()
				got[i], errs[i] = l.Shutdown(ctx)
			})
		}
		wg.Wait()
		assert.Equal(t, 13*time.Second, time.Since(began))
		for i := range got {
			assert.Equal(t, got[0], got[i])
			assert.Equal(t, errs[0], errs[i])
		}
		assert.Equal(t, []string{"push out", "shutdown in", "shutdown out"}, d.take())
		require.Len(t, reports, 2)
		assert.Equal(t, int64(0), reports[0].Number)
		assert.Equal(t, int64(1), reports[1].Number)
		assert.Equal(t, link.Failed, reports[0].Outcome)
		assert.ErrorIs(t, errors.Join(reports[0].Err, reports[1].Err), link.ErrStopped)
	})
}

// From inside a call Shutdown begins the stop and returns at once.
func TestShutdownFromInside(t *testing.T) {
	t.Parallel()
	inside := func(name string, change func(c *link.Config, stop func(context.Context))) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(diary)
				var l *link.Link
				stops := 0
				stop := func(ctx context.Context) {
					if stops++; stops > 1 {
						return
					}
					began := time.Now()
					report, err := link.FromContext(ctx).Shutdown(ctx)
					assert.NoError(t, err)
					assert.Equal(t, link.Report{}, report)
					assert.Zero(t, time.Since(began))
					_, err = l.Transfer(context.Background(), link.Tick{})
					assert.ErrorIs(t, err, link.ErrStopped, "the stop has begun")
				}
				out := &tank{life: life{name: "out", diary: d}}
				c := link.Config{Inlets: inlets(&pump{onPull: once(1)}), Outlets: outlets(out)}
				change(&c, stop)
				var err error
				l, err = link.New(c)
				require.NoError(t, err)
				require.NoError(t, l.Start(t.Context()))
				go l.Transfer(context.Background(), link.Tick{})
				synctest.Wait()
				_, err = l.Shutdown(t.Context())
				assert.NoError(t, err)
				assert.Contains(t, d.take(), "shutdown out")
				assert.Equal(t, list(1), out.content())
			})
		})
	}
	inside("Push", func(c *link.Config, stop func(context.Context)) {
		c.Outlets = append(c.Outlets, &tank{onPush: func(ctx context.Context, _ []record.Record, _ record.Update) error {
			stop(ctx)
			return nil
		}})
	})
	inside("OnReport", func(c *link.Config, stop func(context.Context)) {
		c.OnReport = func(ctx context.Context, _ link.Report) { stop(ctx) }
	})
	inside("OnError", func(c *link.Config, stop func(context.Context)) {
		c.Inlets = append(c.Inlets, &pump{onPull: func(context.Context, record.Update) ([]record.Record, error) { return nil, errDown }})
		c.OnError = func(ctx context.Context, _ *link.Error) error { stop(ctx); return nil }
	})
	inside("Shutdown of a node", func(c *link.Config, stop func(context.Context)) {
		c.Inlets = append(c.Inlets, &pump{life: life{onShutdown: func(ctx context.Context) error { stop(ctx); return nil }}})
	})
}

// Of what is given up, that is lost which no inlet returns again.
func TestShutdownLoses(t *testing.T) {
	t.Parallel()
	refuse := func(context.Context, []record.Record, record.Update) error { return errDown }
	tests := []struct {
		name string
		c    link.Config
		want string
	}{
		{"pending", link.Config{Outlets: outlets(&tank{life: life{name: "a"}, onPush: refuse}, &tank{life: life{name: "b"}})},
			"pulled 5 filtered 0 held 0 pending 0 delivered a=0 b=5 dropped 0 abandoned a=5 b=0 lost a=3 b=0 balanced"},
		{"pending after a FlatMap", link.Config{
			Processors: []record.Processor{record.FlatMap(func(n int) ([]int, error) { return []int{n, n}, nil })},
			Outlets:    outlets(&tank{onPush: refuse}),
		}, "pulled 5 produced 5 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 10 lost 6 balanced"},
		{"before a processor", link.Config{
			Processors: []record.Processor{&pipe{onProcess: func(context.Context, []record.Record) ([]record.Record, error) { return nil, errDown }}},
			Outlets:    outlets(&tank{}),
		}, "pulled 5 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 5 lost 3 balanced"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := tt.c
				c.Inlets = inlets(&pump{onPull: once(1, 2, 3)}, &tape{pump: pump{life: life{name: "tape"}}, values: values(4, 5), per: 2})
				l, err := link.New(c)
				require.NoError(t, err)
				require.NoError(t, l.Start(t.Context()))
				l.Transfer(t.Context(), link.Tick{})
				report, err := l.Shutdown(t.Context())
				require.ErrorIs(t, err, errDown)
				assert.NoError(t, report.Balance())
				assert.Equal(t, tt.want, l.Account().String())
			})
		})
	}
}

// What an inlet has returned to a transfer that was given up is accounted for once.
func TestShutdownTwiceAccountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := "last"
		inlet := func(name string, values ...any) *pump {
			return &pump{life: life{name: name}, onPull: func(context.Context, record.Update) ([]record.Record, error) {
				if name == hung {
					time.Sleep(time.Hour)
				}
				return of(values...), nil
			}}
		}
		l, err := link.New(link.Config{
			Name: "l", ShutdownTimeout: time.Second, InletConcurrency: 1,
			Inlets: inlets(inlet("first"), inlet("second", 1, 2), inlet("last")), Outlets: outlets(&tank{life: life{name: "out"}}),
		})
		require.NoError(t, err)
		for _, hung = range []string{"last", "first"} {
			require.NoError(t, l.Start(t.Context()))
			go l.Begin(link.Tick{})
			synctest.Wait()
			_, err = l.Shutdown(t.Context())
			require.Error(t, err)
			assert.Equal(t, "pulled 2 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 2 lost 2 balanced", l.Account().String())
			time.Sleep(time.Hour)
		}
	})
}
