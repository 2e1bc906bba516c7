package testkit_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// These run the suites as their users do, in real time, on the core's own nodes.

func TestInlets(t *testing.T) {
	t.Parallel()
	two := func(context.Context) ([]int, error) { return []int{1, 2}, nil }
	one := func(context.Context) (string, error) { return "one", nil }
	since := func(_ context.Context, after int) ([]int, int, error) {
		if after == 9 {
			return nil, after, nil
		}
		return []int{after + 1, after + 2, after + 3}, after + 3, nil
	}
	for name, c := range map[string]struct {
		fresh func() inlet.Inlet
		opts  testkit.InletOptions
	}{
		"Of":        {fresh: func() inlet.Inlet { return inlet.Of(two) }},
		"Each":      {fresh: func() inlet.Inlet { return inlet.Each(one) }},
		"Values":    {fresh: func() inlet.Inlet { return inlet.Values(1, 2, 3) }},
		"Null":      {fresh: inlet.Null, opts: testkit.InletOptions{Empty: true}},
		"RandomInt": {fresh: func() inlet.Inlet { return inlet.RandomInt(0, 100) }},
		"Since":     {fresh: func() inlet.Inlet { return inlet.Since("since", since) }},
		"Named":     {fresh: func() inlet.Inlet { return inlet.Named("named", inlet.Since("since", since)) }},
		"WithMetadata": {fresh: func() inlet.Inlet {
			return inlet.WithMetadata(inlet.Since("since", since), record.Attr{Key: "test.key", Value: 1})
		}},
		"testkit.Values": {fresh: plain},
		"testkit.Rows":   {fresh: resumable},
		"testkit.FaultyInlet": {
			fresh: func() inlet.Inlet { return &testkit.FaultyInlet{Inlet: rows()} },
			opts: testkit.InletOptions{Hung: func(*testing.T) inlet.Inlet {
				return &testkit.FaultyInlet{OnPull: testkit.Block()}
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestInlet(t, func(*testing.T) inlet.Inlet { return c.fresh() }, &c.opts)
		})
	}
}

func TestOutlets(t *testing.T) {
	t.Parallel()
	unread := func(fresh func() outlet.Outlet) func() (outlet.Outlet, func() []record.Record) {
		return func() (outlet.Outlet, func() []record.Record) { return fresh(), nil }
	}
	for name, c := range map[string]struct {
		fresh func() (outlet.Outlet, func() []record.Record)
		opts  *testkit.OutletOptions
	}{
		"Of": {fresh: func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return outlet.Of(func(ctx context.Context, values []map[string]any) error {
				for _, v := range values {
					write(s, record.New(v))
				}
				return nil
			}), s.Records
		}},
		"Each": {fresh: func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return outlet.Named("each", outlet.ReadOnly(outlet.Each(func(_ context.Context, v map[string]any) error {
				write(s, record.New(v))
				return nil
			}))), s.Records
		}},
		"Print":   {fresh: unread(func() outlet.Outlet { return outlet.Print(io.Discard) })},
		"Discard": {fresh: unread(outlet.Discard)},
		"testkit.Sink": {fresh: func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return s, s.Records
		}},
		"testkit.FaultyOutlet": {
			fresh: sinking(new(testkit.FaultyOutlet)),
			opts: &testkit.OutletOptions{Hung: func(*testing.T) outlet.Outlet {
				return &testkit.FaultyOutlet{OnPush: testkit.Block()}
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(*testing.T) (outlet.Outlet, func() []record.Record) { return c.fresh() }, sample, c.opts)
		})
	}
}

func TestProcessors(t *testing.T) {
	t.Parallel()
	number := func(m map[string]any) int { return m["n"].(int) }
	for name, c := range map[string]struct {
		fresh func() record.Processor
		opts  testkit.ProcessorOptions
	}{
		"Each": {fresh: func() record.Processor {
			return record.Each(func(_ context.Context, r record.Record) (record.Record, error) { return r, nil })
		}, opts: testkit.ProcessorOptions{Conserves: true}},
		"Map": {fresh: func() record.Processor {
			return record.Map(func(m map[string]any) (int, error) { return number(m), nil })
		}, opts: testkit.ProcessorOptions{Conserves: true}},
		"Filter": {fresh: func() record.Processor {
			return record.Filter(func(m map[string]any) bool { return number(m)%2 == 0 })
		}},
		"FlatMap": {fresh: func() record.Processor {
			return record.FlatMap(func(m map[string]any) ([]int, error) { return make([]int, number(m)%3), nil })
		}},
		"Buffer": {
			fresh: func() record.Processor { return buffer.New(&buffer.Options{Count: 4, MaxAge: time.Minute}) },
			opts:  testkit.ProcessorOptions{Conserves: true},
		},
		"Buffer of a size": {
			fresh: func() record.Processor {
				return buffer.New(&buffer.Options{MaxBytes: 5, Size: func(r record.Record) int {
					if _, ok := r.Payload.(map[string]any); !ok {
						return -1
					}
					return 1
				}})
			},
			opts: testkit.ProcessorOptions{Conserves: true},
		},
		"Buffer without rules": {
			fresh: func() record.Processor { return new(buffer.Buffer) },
			opts:  testkit.ProcessorOptions{Conserves: true},
		},
		"Buffer with a controller that fails": {
			fresh: func() record.Processor {
				return buffer.New(&buffer.Options{Count: 7, Controllers: []buffer.Controller{func(held []record.Record) (bool, error) {
					_, err := record.As[map[string]any](held[len(held)-1])
					if len(held) > 1 {
						_, err = record.As[map[string]any](held[1])
					}
					return false, err
				}}})
			},
			opts: testkit.ProcessorOptions{Conserves: true},
		},
		"testkit.FaultyProcessor": {fresh: func() record.Processor { return new(testkit.FaultyProcessor) }},
		"a holder": {
			fresh: holding(hold{until: 4, age: time.Minute}),
			opts: testkit.ProcessorOptions{
				Conserves: true,
				Skip:      map[string]string{"what describes a record": "to see that Skip works"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestProcessor(t, func(*testing.T) record.Processor { return c.fresh() }, sample, &c.opts)
		})
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	testkit.TestTrigger(t, func(*testing.T) planner.Trigger { return newClock("") })
}
