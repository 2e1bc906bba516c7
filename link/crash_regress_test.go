package link_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
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
	"github.com/databay-go/databay/testkit"
)

// What the crash test has found, each as the smallest program that shows it.

// regressCounter is a resumable inlet that yields the next int with every pull.
func regressCounter(pulls *int) inlet.Inlet {
	return inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
		*pulls++
		return []int{after + 1}, after + 1, nil
	})
}

// regressHolder is a holder that a script decides about.
type regressHolder struct {
	name    string
	process func(h *regressHolder, records []record.Record) ([]record.Record, error)
	held    []record.Record
	flush   bool
}

func (h *regressHolder) String() string { return h.name }
func (h *regressHolder) Flush()         { h.flush = true }

func (h *regressHolder) Holding() record.Holding {
	return record.Holding{Records: len(h.held), Span: len(h.held)}
}

func (h *regressHolder) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	return h.process(h, records)
}

func (h *regressHolder) release() []record.Record {
	defer func() { h.held = nil }()
	return h.held
}

// A stage refuses an old record and takes a newer one that has come behind a
// barrier. The barrier does not pass the old one, which is held later.
func TestRegressPartialAcrossABarrier(t *testing.T) {
	pulls, calls := 0, 0
	first := &regressHolder{name: "first", process: func(h *regressHolder, records []record.Record) ([]record.Record, error) {
		out := h.release() // the newest record waits for the next call
		h.held = append(h.held, records...)
		return out, nil
	}}
	second := &regressHolder{name: "second", process: func(h *regressHolder, records []record.Record) ([]record.Record, error) {
		if len(records) == 0 {
			return nil, nil
		}
		calls++
		var failures record.Failures
		switch calls {
		case 1: // record 1, while the first holder has record 2
			failures.Add(0, errors.New("not yet"))
			return nil, failures.Err()
		case 2: // both: only the newer one is taken
			failures.Add(0, errors.New("not yet"))
			return records[1:], failures.Err()
		}
		h.held = append(h.held, records...) // record 1
		return nil, nil
	}}
	store := new(state.Memory)
	var got []any
	l, err := link.New(link.Config{
		Name: "regress", State: store, Inlets: []inlet.Inlet{regressCounter(&pulls)},
		Outlets: []outlet.Outlet{outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
			for _, r := range records {
				got = append(got, r.Payload)
			}
			return nil
		})},
		Processors: []record.Processor{first, second},
		OnError:    func(context.Context, *link.Error) error { return nil },
	})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	for range 5 {
		_, err := l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		require.NoError(t, err)
		value, _, err := store.Get(t.Context(), "link/regress")
		require.NoError(t, err)
		if !slices.Contains(got, any(1)) {
			assert.NotContains(t, string(value), `"position"`, "record 1 is not delivered: %v", got)
		}
	}
	l.Shutdown(t.Context())
}

// A processor that ends the goroutine keeps its records, so that nothing is pulled.
func TestRegressGoexitInARetry(t *testing.T) {
	pulls, calls := 0, 0
	l, err := link.New(link.Config{
		Name: "regress", Inlets: []inlet.Inlet{regressCounter(&pulls)}, Outlets: []outlet.Outlet{outlet.Discard()},
		Processors: []record.Processor{record.ProcessorFunc(func(_ context.Context, records []record.Record) ([]record.Record, error) {
			if calls++; calls < 4 {
				runtime.Goexit()
			}
			return records, nil
		})},
		OnError: func(context.Context, *link.Error) error { return nil },
	})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	for range 3 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		}()
		<-done
	}
	assert.Equal(t, 1, pulls, "%v", l.Account())
	l.Shutdown(t.Context())
}

// regressAtomic is an outlet that writes commits.
type regressAtomic struct{ store *state.Memory }

func (o *regressAtomic) Store() any { return o.store }

func (o *regressAtomic) Push(ctx context.Context, _ []record.Record, u record.Update) error {
	if u.Commit == nil {
		return nil
	}
	_, err := o.store.Put(ctx, u.Commit.Key, u.Commit.Value, u.Commit.Revision)
	return err
}

// What an atomic outlet has written is what the link goes on from, also if it says
// nothing new.
func TestRegressAtomicEmptyPush(t *testing.T) {
	store := new(state.Memory)
	l, err := link.New(link.Config{
		Name: "regress", State: store, PushEmpty: true,
		Inlets: []inlet.Inlet{inlet.Null()}, Outlets: []outlet.Outlet{&regressAtomic{store}},
	})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	for range 3 {
		_, err := l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		assert.NoError(t, err)
	}
	l.Shutdown(t.Context())
}

// A stop whose time is used up by the store names the store, and nothing that does
// not hang.
func TestRegressHungStoreAtAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &regressStore{free: make(chan struct{})}
		pulls := 0
		l, err := link.New(link.Config{
			Name: "regress", State: store, ShutdownTimeout: time.Second,
			Inlets: []inlet.Inlet{regressCounter(&pulls)}, Outlets: []outlet.Outlet{outlet.Discard()},
			Processors: []record.Processor{record.Filter(func(int) bool { return true })},
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		store.hangs = true
		go l.Transfer(context.Background(), link.Tick{})
		_, err = l.Shutdown(t.Context())
		assert.ErrorContains(t, err, "shutdown store: abandoned")
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			assert.Equal(t, "store", e.(*link.Error).Node)
		}
		close(store.free)
	})
}

// regressStore is a store that hangs.
type regressStore struct {
	state.Memory
	hangs bool
	free  chan struct{}
}

func (s *regressStore) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if s.hangs {
		<-s.free
	}
	return s.Memory.Put(ctx, key, value, rev)
}

// A lane that is given up in a push is balanced, whatever waits before its stages.
func TestRegressGivenUpLaneBalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free, pulls := make(chan struct{}), 0
		l, err := link.New(link.Config{
			Name: "regress", ShutdownTimeout: time.Second,
			Inlets: []inlet.Inlet{inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
				pulls++
				return []int{after + 1, after + 2}, after + 2, nil
			})},
			Lanes: []link.Lane{{
				Outlet: outlet.Func(func(context.Context, []record.Record, record.Update) error {
					<-free
					return nil
				}),
				Processors: []record.Processor{record.Map(func(n int) (int, error) {
					if n == 1 {
						return 0, errors.New("one")
					}
					return n, nil
				})},
			}},
			OnError: func(_ context.Context, err *link.Error) error {
				assert.NotErrorIs(t, err, link.ErrUnbalanced)
				return nil
			},
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		go l.Transfer(context.Background(), link.Tick{})
		synctest.Wait() // it has parked one record; the next transfer offers the other
		go l.Transfer(context.Background(), link.Tick{})
		synctest.Wait()
		r, _ := l.Shutdown(t.Context())
		assert.NoError(t, r.Balance())
		assert.NoError(t, l.Account().Balance())
		close(free)
	})
}

// A commit that says nothing but a number, and is made at the stop, does not write over
// that of an atomic outlet which was given up and is done after all.
func TestRegressOlderCommitAfterAnAtomicOutlet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(vault)
		out := &regressLate{store: store, free: make(chan struct{}), done: make(chan struct{})}
		pulls := 0
		l, err := link.New(link.Config{
			Name: "regress", State: store, ShutdownTimeout: time.Second, Outlets: []outlet.Outlet{out},
			Inlets: []inlet.Inlet{inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
				if pulls++; pulls <= 2 {
					return nil, after, nil
				}
				return []int{after + 1}, after + 1, nil
			})},
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		for range 2 { // the second one has nothing to commit
			_, err = l.Transfer(t.Context(), link.Tick{})
			require.NoError(t, err)
		}
		go l.Transfer(context.Background(), link.Tick{})
		synctest.Wait()
		store.put = func(_ int, do func() (int64, error)) (int64, error) { // the link's
			close(out.free)
			<-out.done
			store.put = nil
			return do()
		}
		_, err = l.Shutdown(t.Context())
		require.ErrorContains(t, err, "abandoned")
		require.Len(t, store.puts, 2, "the link has tried")
		assert.Equal(t, "1", position(t, store, "link/regress", "n"), "it is delivered")
	})
}

// regressLate is an outlet that writes commits, when it is freed.
type regressLate struct {
	store      *vault
	free, done chan struct{}
}

func (o *regressLate) Store() any { return o.store }

func (o *regressLate) Push(ctx context.Context, _ []record.Record, u record.Update) error {
	<-o.free
	defer close(o.done)
	_, err := o.store.Memory.Put(context.WithoutCancel(ctx), u.Commit.Key, u.Commit.Value, u.Commit.Revision)
	return err
}

// regressFlusher is a holder of nothing whose first Flush ends the goroutine.
type regressFlusher struct{ flushed bool }

func (h *regressFlusher) Holding() record.Holding { return record.Holding{} }

func (h *regressFlusher) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	return records, nil
}

func (h *regressFlusher) Flush() {
	if !h.flushed {
		h.flushed = true
		runtime.Goexit()
	}
}

// A holder of a lane that ends the goroutine when it is flushed loses nothing of what
// waits before it.
func TestRegressGoexitInAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pulls, pushed := 0, 0
		l, err := link.New(link.Config{
			Name: "regress", Inlets: []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { pulls++; return pulls, nil })},
			Lanes: []link.Lane{{Processors: []record.Processor{new(regressFlusher)}, Outlet: outlet.Each(func(context.Context, int) error {
				time.Sleep(time.Second)
				pushed++
				return nil
			})}},
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		for range 3 {
			go l.Begin(link.Tick{})
			synctest.Wait()
		}
		report, err := l.Shutdown(t.Context())
		require.ErrorContains(t, err, "flush: runtime.Goexit was called")
		assert.Equal(t, 3, pulls)
		assert.Equal(t, 3, pushed, "%v", report.Account)
	})
}

// What a holder releases together with a refusal is not lost if a handler ends the
// goroutine when it is told.
func TestRegressGoexitOfAHandler(t *testing.T) {
	for name, ends := range map[string]func(*link.Config){
		"OnError": func(c *link.Config) {
			c.OnError = func(context.Context, *link.Error) error { runtime.Goexit(); return nil }
		},
		"host": func(*link.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			holder := &regressHolder{name: "holder", process: func(h *regressHolder, records []record.Record) ([]record.Record, error) {
				switch {
				case len(records) == 0:
					return h.release(), nil
				case len(h.held) == 0:
					h.held = records
					return nil, nil
				}
				return h.release(), &record.Partial{Failed: map[int]error{0: errors.New("refused")}}
			}}
			sink := new(testkit.Sink)
			pulls := 0
			c := link.Config{
				Name: "regress", Inlets: []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { pulls++; return pulls, nil })},
				Outlets: []outlet.Outlet{sink}, Processors: []record.Processor{holder},
			}
			ends(&c)
			l, err := link.New(c)
			require.NoError(t, err)
			if name == "host" {
				require.NoError(t, l.Attach(&host{verdict: func(*link.Error) error { runtime.Goexit(); return nil }}, nil))
			}
			require.NoError(t, l.Start(t.Context()))
			for range 2 {
				done := make(chan struct{})
				go func() {
					defer close(done)
					l.Begin(link.Tick{})
				}()
				<-done
			}
			_, _ = l.Shutdown(t.Context())
			assert.Contains(t, payloads(sink.Records()), any(1), "%v", l.Account())
		})
	}
}
