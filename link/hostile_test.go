package link_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"runtime"
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

var errSpoiled = errors.New("spoiled")

// noPath is what a function returns that declares a *fs.PathError and returns it as an
// error: not nil, and all its methods panic.
var noPath *fs.PathError

type mute struct{}

func (mute) Error() string { panic("no words") }

// An error whose methods panic is a panic of the node that returned it.
func TestErrorsWhoseMethodsPanic(t *testing.T) {
	for name, bad := range map[string]error{
		"nil pointer":         noPath,
		"wrapped":             record.Permanent(noPath),
		"joined":              errors.Join(errSpoiled, noPath),
		"a cause of one":      &record.Partial{Failed: map[int]error{0: noPath}},
		"nil Partial":         (*record.Partial)(nil),
		"panicking Error":     mute{},
		"permanent and mute":  record.Permanent(mute{}),
		"retried after, mute": record.RetryAfter(1, mute{}),
	} {
		for op, c := range map[link.Op]link.Config{
			link.OpPush: {Outlets: []outlet.Outlet{outlet.Func(func(context.Context, []record.Record, record.Update) error { return bad })}},
			link.OpPull: {Inlets: []inlet.Inlet{inlet.Func(func(context.Context, record.Update) ([]record.Record, error) { return nil, bad })}},
			link.OpProcess: {Processors: []record.Processor{record.ProcessorFunc(func(context.Context, []record.Record) ([]record.Record, error) {
				return nil, bad
			})}},
			link.OpGroup: {Groupers: []record.Grouper{record.GrouperFunc(func(context.Context, [][]record.Record) ([][]record.Record, error) {
				return nil, bad
			})}},
			link.OpState: {State: badStore{bad}, Name: "x"},
			link.OpStart: {Outlets: []outlet.Outlet{&tank{life: life{name: "out", onStart: func(context.Context) error { return bad }}}}},
		} {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				if c.Inlets == nil {
					c.Inlets = []inlet.Inlet{inlet.Values(1)}
				}
				if c.Outlets == nil {
					c.Outlets = []outlet.Outlet{outlet.Discard()}
				}
				c.DeadLetter = outlet.Discard() // what it wraps is not asked whether it is permanent
				l, err := link.New(c)
				require.NoError(t, err)
				r, err := l.Once(t.Context())
				require.NoError(t, r.Balance())
				failure, ok := errors.AsType[*link.Error](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, op, failure.Op)
				_, ok = errors.AsType[*link.PanicError](failure)
				assert.True(t, ok, "%v", failure)
				assert.True(t, failure.Fatal())
			})
		}
	}
}

// badStore fails with an error.
type badStore struct{ err error }

func (s badStore) Get(context.Context, string) ([]byte, int64, error)        { return nil, 0, s.err }
func (s badStore) Put(context.Context, string, []byte, int64) (int64, error) { return 0, s.err }

// A panic with an error whose methods panic is one like any other.
func TestPanicsWithErrorsWhoseMethodsPanic(t *testing.T) {
	l, err := link.New(link.Config{
		Inlets:  []inlet.Inlet{inlet.Values(1)},
		Outlets: []outlet.Outlet{outlet.Func(func(context.Context, []record.Record, record.Update) error { panic(noPath) })},
	})
	require.NoError(t, err)
	_, err = l.Once(t.Context())
	failure, ok := errors.AsType[*link.PanicError](err)
	require.True(t, ok, "%v", err)
	assert.Contains(t, failure.Error(), "*fs.PathError")
}

// unclonable is a payload whose Clone panics.
type unclonable map[string]int

func (unclonable) Clone() any { panic("no clone") }

// A letter that cannot be copied for its outlet is refused by itself.
func TestDeadLettersThatCannotBeCopied(t *testing.T) {
	for name, payload := range map[string]any{"panicking Clone": unclonable{"a": 1}, "channel": make(chan int)} {
		t.Run(name, func(t *testing.T) {
			var letters []any
			l := started(t, link.Config{
				Inlets: []inlet.Inlet{inlet.Values(1, payload, 3)},
				Lanes: []link.Lane{{
					Outlet: outlet.ReadOnly(outlet.Func(func(context.Context, []record.Record, record.Update) error { return record.Permanent(errSpoiled) })),
					DeadLetter: outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
						for _, r := range records {
							letters = append(letters, r.Payload.(link.DeadLetter).Record.Payload)
						}
						return nil
					}),
				}},
			})
			r, _ := l.Transfer(t.Context(), link.Tick{})
			assert.Equal(t, list(1, 3), letters)
			assert.Equal(t, int64(2), r.Lanes[0].DeadLettered)
			assert.Equal(t, int64(1), r.Lanes[0].Pending)
			assert.ErrorContains(t, r.Err, "dead letters: 1 failed: record 1: ")
		})
	}
}

// What contains itself has no JSON, and no end when it is printed.
func TestDeadLetterOfWhatContainsItself(t *testing.T) {
	object := map[string]any{"f": func() {}}
	object["self"] = object
	slice := []any{func() {}, nil}
	slice[1] = slice
	for name, payload := range map[string]any{"map": object, "list": slice, "struct": struct{ A any }{object}} {
		t.Run(name, func(t *testing.T) {
			text := link.DeadLetter{Record: record.New(payload, record.Attr{Key: "k", Value: payload})}.String()
			assert.Contains(t, text, `"encoding":"text"`)
			assert.Contains(t, text, `, nested too deep"`)
		})
	}
	text := link.DeadLetter{Record: record.New(struct {
		C chan int
		N *int
	}{})}.String()
	assert.Contains(t, text, `"payload":"{C:<nil> N:<nil>}"`)
}

// A handler that ends its goroutine while a full lane makes room ends nothing else.
func TestGoexitWhileALaneMakesRoom(t *testing.T) {
	l := started(t, link.Config{
		Inlets: []inlet.Inlet{inlet.Of(func(context.Context) ([]int, error) { return []int{1, 2, 3}, nil })},
		Lanes: []link.Lane{{
			Outlet: outlet.Func(refuse), DeadLetter: outlet.Func(refuse), Pending: 2, OnFull: link.DeadLetterOldest,
		}},
		OnError: func(_ context.Context, err *link.Error) error {
			if err.Op == link.OpDeadLetter {
				runtime.Goexit()
			}
			return nil
		},
	})
	for range 3 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.Transfer(t.Context(), link.Tick{})
		}()
		<-ended
	}
	assert.Equal(t, int64(3), l.Account().Lanes[0].Pending)
}

// A handler that ends its goroutine when a spool fails ends nothing else.
func TestGoexitWhileALaneSpills(t *testing.T) {
	l := started(t, link.Config{
		Inlets: []inlet.Inlet{inlet.Of(func(context.Context) ([]int, error) { return []int{1, 2, 3}, nil })},
		Lanes: []link.Lane{{
			Outlet: outlet.Func(refuse), Pending: 2, OnFull: link.Spill,
			Spool: &cellar{append: func() error { return errSpoiled }},
		}},
		OnError: func(_ context.Context, err *link.Error) error {
			if err.Op == link.OpSpool {
				runtime.Goexit()
			}
			return nil
		},
	})
	for range 3 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.Transfer(t.Context(), link.Tick{})
		}()
		<-ended
	}
	assert.Equal(t, int64(3), l.Account().Lanes[0].Pending)
	_, err := l.Shutdown(t.Context())
	assert.Error(t, err)
}

// Nor does one do while letters are written: those that were are not written again.
func TestGoexitWhileALaneBuries(t *testing.T) {
	letters := make(map[any]int)
	l := started(t, link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1, 2)},
		Lanes: []link.Lane{{
			Outlet: outlet.Func(func(context.Context, []record.Record, record.Update) error { return record.Permanent(errSpoiled) }),
			DeadLetter: outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
				var failures record.Failures
				for i, r := range records {
					payload := r.Payload.(link.DeadLetter).Record.Payload
					letters[payload]++
					if payload == 2 {
						failures.Add(i, errSpoiled)
					}
				}
				return failures.Err()
			}),
		}},
		OnError: func(_ context.Context, err *link.Error) error {
			if err.Op == link.OpDeadLetter {
				runtime.Goexit()
			}
			return nil
		},
	})
	for range 3 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.Transfer(t.Context(), link.Tick{})
		}()
		<-ended
	}
	assert.Equal(t, map[any]int{1: 1, 2: 3}, letters)
	assert.Equal(t, int64(1), l.Account().Lanes[0].DeadLettered)
}

// A dry run is as bounded as its context, and so is a Start that waits for it.
func TestDryRunThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrap()
		l, err := link.New(link.Config{
			Inlets:  []inlet.Inlet{inlet.Values(1)},
			Outlets: []outlet.Outlet{outlet.Discard()},
			Processors: []record.Processor{&pipe{life: life{name: "hangs"}, onProcess: func(_ context.Context, records []record.Record) ([]record.Record, error) {
				tr.step()
				return records, nil
			}}},
		})
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			preview, err := l.DryRun(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			require.Len(t, preview.Inlets, 1)
			assert.True(t, preview.Inlets[0].Kept)
			assert.Empty(t, preview.Lanes)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, l.Start(ctx), context.DeadlineExceeded)
		<-ended
		assert.ErrorContains(t, l.Start(t.Context()), "still running: processors")
		tr.release()
		synctest.Wait()
		r, err := l.Once(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(1), r.Lanes[0].Delivered)
	})
}

// What an inlet returns after a dry run has left it behind is not lost, and nothing is
// asked of it when there is no time left.
func TestDryRunLeavesAPullBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrap()
		var updates []record.Update
		out := new(taker)
		l, err := link.New(link.Config{
			Inlets: []inlet.Inlet{
				inlet.Func(func(_ context.Context, u record.Update) ([]record.Record, error) {
					if updates = append(updates, u); len(updates) == 1 {
						tr.step()
					}
					return of(len(updates)), nil
				}),
				inlet.Values("late"),
			},
			Outlets: []outlet.Outlet{out},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		preview, err := l.DryRun(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Empty(t, preview.Inlets)
		assert.ErrorContains(t, l.Start(t.Context()), "still running")
		tr.release()
		synctest.Wait()
		r, err := l.Once(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(3), r.Pulled)
		assert.Equal(t, []any{1, 2, "late"}, out.accepted())
		require.Len(t, updates, 2)
		assert.Equal(t, updates[0].Due, updates[1].From)
	})
}

// A store that panics ends no dry run's caller.
func TestDryRunWithAStoreThatPanics(t *testing.T) {
	l, err := link.New(link.Config{Name: "x", Inlets: []inlet.Inlet{inlet.Null()}, Outlets: []outlet.Outlet{outlet.Discard()}, State: panickingStore{}})
	require.NoError(t, err)
	_, err = l.DryRun(t.Context())
	_, ok := errors.AsType[*link.PanicError](err)
	assert.True(t, ok, "%v", err)
}

type panickingStore struct{ badStore }

func (panickingStore) Get(context.Context, string) ([]byte, int64, error) { panic("no store") }

func refuse(context.Context, []record.Record, record.Update) error { return errSpoiled }

// A bound costs nothing before it is used.
func TestHugeDeadLetterLimit(t *testing.T) {
	_, err := link.New(link.Config{
		Inlets: []inlet.Inlet{inlet.Null()}, Outlets: []outlet.Outlet{outlet.Discard()},
		DeadLetterLimit: link.DeadLetterLimit{Max: math.MaxInt - 1, Of: math.MaxInt},
	})
	assert.NoError(t, err)
}

// inDecorator and outDecorator decorate.
type inDecorator struct{ inlet.Inlet }

func (d *inDecorator) Unwrap() inlet.Inlet { return d.Inlet }

type outDecorator struct{ outlet.Outlet }

func (d *outDecorator) Unwrap() outlet.Outlet { return d.Outlet }

func TestDecoratorsThatAreNilPointers(t *testing.T) {
	var noIn *inDecorator
	var noOut *outDecorator
	for want, c := range map[string]link.Config{
		`Inlets[0] is nil`: {Inlets: []inlet.Inlet{noIn}},
		`Inlets[0]: inlet.Named "x": the inlet is nil`:               {Inlets: []inlet.Inlet{inlet.Named("x", noIn)}},
		`Inlets[0]: *link_test.inDecorator decorates nil`:            {Inlets: []inlet.Inlet{&inDecorator{noIn}}},
		`Outlets[0] is nil`:                                          {Outlets: []outlet.Outlet{noOut}},
		`Outlets[0]: outlet.ReadOnly: the outlet is nil`:             {Outlets: []outlet.Outlet{outlet.ReadOnly(noOut)}},
		`Outlets[0]: *link_test.outDecorator decorates nil`:          {Outlets: []outlet.Outlet{&outDecorator{noOut}}},
		`DeadLetter is nil`:                                          {DeadLetter: noOut},
		`Lanes[0].DeadLetter: *link_test.outDecorator decorates nil`: {Lanes: []link.Lane{{Outlet: outlet.Discard(), DeadLetter: &outDecorator{noOut}}}},
	} {
		t.Run(want, func(t *testing.T) {
			if c.Inlets == nil {
				c.Inlets = []inlet.Inlet{inlet.Null()}
			}
			if c.Outlets == nil && c.Lanes == nil {
				c.Outlets = []outlet.Outlet{outlet.Discard()}
			}
			_, err := link.New(c)
			assert.ErrorContains(t, err, want)
		})
	}
}

// The String of a node may ask its link something, also when that is started again.
func TestStringThatAsksItsLink(t *testing.T) {
	var l *link.Link
	c := link.Config{
		Inlets: []inlet.Inlet{inlet.Null()},
		Lanes:  []link.Lane{{Outlet: outlet.Discard(), Processors: []record.Processor{asking{&l}}}},
	}
	l, err := link.New(c)
	require.NoError(t, err)
	for range 2 {
		_, err = l.Once(t.Context())
		require.NoError(t, err)
	}
}

// asking is a processor whose String asks a link, if there is one.
type asking struct{ l **link.Link }

func (asking) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	return records, nil
}

func (a asking) String() string {
	if *a.l != nil {
		(*a.l).Busy()
	}
	return "asking"
}
