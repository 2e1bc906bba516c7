package testkit_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// TestInletDoubles has, for every rule, inlets that exactly this rule catches.
func TestInletDoubles(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, d := range inletDoubles() {
		rules[d.rule] = true
		t.Run(d.rule+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			exactly(t, d.rule, testkit.JudgeInlet(t, d.prepare, d.opts))
		})
	}
	complete(t, testkit.InletRules(), rules)
}

func TestInletGoodDoubles(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func() inlet.Inlet{
		"rows":   func() inlet.Inlet { return rows() },
		"values": plain,
		"faulty": func() inlet.Inlet { return &testkit.FaultyInlet{Inlet: rows()} },
	} {
		v := testkit.JudgeInlet(t, each(fresh), testkit.InletOptions{})
		assert.Empty(t, v.Broken, name)
	}
	v := testkit.JudgeInlet(t, brokers(nil), testkit.InletOptions{})
	assert.Empty(t, v.Broken, "broker")
	assert.NotContains(t, v.Skipped, "uncommitted records")
}

type inletDouble struct {
	rule, name string
	prepare    func() func() inlet.Inlet
	opts       testkit.InletOptions
}

// each is a factory of inlets that have nothing in common.
func each(fresh func() inlet.Inlet) func() func() inlet.Inlet {
	return func() func() inlet.Inlet { return fresh }
}

// rows is a resumable inlet, plain one that is not.
func rows() *testkit.Rows {
	r := &testkit.Rows{PerPull: 3, Payload: func(i int) any { return map[string]any{"n": i} }}
	r.Add(14)
	return r
}

func plain() inlet.Inlet { return testkit.Values([]int{1, 2}, []int{3}, []int{4}) }

func faulty(f *testkit.FaultyInlet, inner func() inlet.Inlet) func() func() inlet.Inlet {
	return each(func() inlet.Inlet {
		return &testkit.FaultyInlet{
			Inlet: inner(), Name: f.Name,
			OnStart: f.OnStart, OnPull: f.OnPull, OnShutdown: f.OnShutdown, AfterPull: f.AfterPull,
		}
	})
}

func resumable() inlet.Inlet { return rows() }

// ifEnded is a fault of calls whose context has ended.
func ifEnded(f testkit.Fault) testkit.Fault {
	return func(ctx context.Context, n int) error {
		if ctx.Err() != nil {
			return f(ctx, n)
		}
		return nil
	}
}

func ifAlive(f testkit.Fault) testkit.Fault {
	return func(ctx context.Context, n int) error {
		if ctx.Err() == nil {
			return f(ctx, n)
		}
		return nil
	}
}

// deaf takes its time, whatever becomes of the context.
func deaf(context.Context, int) error {
	time.Sleep(long)
	return nil
}

func leak(context.Context, int) error {
	go time.Sleep(hour)
	return nil
}

func ownError(ctx context.Context, _ int) error { return ctx.Err() }

// keeping are two faults: one remembers the first context that it sees alive, the
// other fails when that one has ended.
func keeping() (keep, use testkit.Fault) {
	var kept atomic.Pointer[context.Context]
	keep = func(ctx context.Context, _ int) error {
		if ctx.Err() == nil {
			kept.CompareAndSwap(nil, &ctx)
		}
		return nil
	}
	use = func(context.Context, int) error {
		if ctx := kept.Load(); ctx != nil {
			return (*ctx).Err()
		}
		return nil
	}
	return keep, use
}

func both(fs ...testkit.Fault) testkit.Fault {
	return func(ctx context.Context, n int) error {
		for _, f := range fs {
			if err := f(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}
}

// pullFunc is an inlet of a function and a counter of its pulls.
func pullFunc(f func(n int) []record.Record) inlet.Inlet {
	var mu sync.Mutex
	n := -1
	return inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		return f(n), nil
	})
}

type invalid struct{ inlet.Inlet }

func (invalid) Validate() error { return errBroken }

type nameless struct{ inlet.Inlet }

func (nameless) String() string { return "" }

type renamed struct {
	inlet.Inlet
	asked *atomic.Int64
}

func (r renamed) String() string { return fmt.Sprint("name ", r.asked.Add(1)) }

func inletDoubles() []inletDouble {
	var all []inletDouble
	add := func(rule, name string, prepare func() func() inlet.Inlet) {
		all = append(all, inletDouble{rule: rule, name: name, prepare: prepare})
	}
	node := func(rule, name string, f *testkit.FaultyInlet) { add(rule, name, faulty(f, plain)) }

	add("valid", "invalid", each(func() inlet.Inlet { return invalid{rows()} }))
	add("name", "empty", each(func() inlet.Inlet { return nameless{plain()} }))
	add("name", "changing", each(func() inlet.Inlet { return renamed{plain(), new(atomic.Int64)} }))
	node("name without password", "URL", &testkit.FaultyInlet{Name: "https://me:secret@example.com/rows"})
	node("ended context", "deaf", &testkit.FaultyInlet{OnPull: ifEnded(deaf)})
	node("error of the context", "own words", &testkit.FaultyInlet{OnPull: ifEnded(testkit.Fail(errBroken))})
	node("context ending during the call", "deaf", &testkit.FaultyInlet{OnPull: ifAlive(deaf)})
	all = append(all, inletDouble{
		"context ending during the call", "deaf when it hangs", each(plain),
		testkit.InletOptions{Hung: func(*testing.T) inlet.Inlet { return &testkit.FaultyInlet{OnPull: deaf} }},
	}, inletDouble{
		"context ending during the call", "does not hang", each(plain),
		testkit.InletOptions{Hung: func(*testing.T) inlet.Inlet { return plain() }},
	})
	add("context of an earlier call", "kept", each(func() inlet.Inlet {
		keep, use := keeping()
		return &testkit.FaultyInlet{Inlet: plain(), OnPull: both(use, keep)}
	}))
	node("goroutines", "of a pull", &testkit.FaultyInlet{AfterPull: leak})
	node("goroutines", "of the start", &testkit.FaultyInlet{OnStart: ifAlive(leak)})
	add("start again", "refused", each(func() inlet.Inlet {
		in := &testkit.FaultyInlet{Inlet: plain()}
		in.OnStart = func(context.Context, int) error {
			if in.Starts() > 1 {
				return errBroken
			}
			return nil
		}
		return in
	}))
	add("start again", "stays closed", each(func() inlet.Inlet {
		in := &testkit.FaultyInlet{Inlet: plain()}
		in.OnPull = func(context.Context, int) error {
			if in.Shutdowns() > 0 {
				return errBroken
			}
			return nil
		}
		return in
	}))
	node("start with an ended context", "deaf", &testkit.FaultyInlet{OnStart: ifEnded(deaf)})
	node("failed start", "left a goroutine", &testkit.FaultyInlet{OnStart: ifEnded(both(leak, ownError))})
	add("context of the start", "kept", each(func() inlet.Inlet {
		keep, use := keeping()
		return &testkit.FaultyInlet{Inlet: plain(), OnStart: keep, OnPull: use}
	}))
	node("shutdown with an ended context", "deaf", &testkit.FaultyInlet{OnShutdown: ifEnded(deaf)})
	add("update", "tags changed", each(func() inlet.Inlet {
		return inlet.Func(func(_ context.Context, u record.Update) ([]record.Record, error) {
			u.Tags[0] = "mine"
			return []record.Record{record.New(1)}, nil
		})
	}))
	add("pull after shutdown", "panics", each(func() inlet.Inlet {
		in := &testkit.FaultyInlet{Inlet: plain()}
		in.OnPull = func(context.Context, int) error {
			if in.Shutdowns() == in.Starts() {
				panic("closed")
			}
			return nil
		}
		return in
	}))
	all = append(all, reachDoubles()...)
	all = append(all, pullDoubles()...)
	all = append(all, positionDoubles()...)
	return append(all, commitDoubles()...)
}
