package testkit_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// TestProcessorDoubles has, for every rule, processors that exactly this rule
// catches.
func TestProcessorDoubles(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, d := range slices.Concat(processorDoubles(), stageDoubles(), failureDoubles(), holderDoubles(), settlerDoubles()) {
		rules[d.rule] = true
		t.Run(d.rule+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			exactly(t, d.rule, testkit.JudgeProcessor(t, d.fresh, sample, d.opts))
		})
	}
	complete(t, testkit.ProcessorRules(), rules)
}

func TestProcessorGoodDoubles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fresh func() record.Processor
		opts  testkit.ProcessorOptions
	}{
		"faulty": {fresh: func() record.Processor { return new(testkit.FaultyProcessor) }},
		"filter": {fresh: func() record.Processor {
			return record.Filter(func(m map[string]any) bool { return m["n"].(int)%2 == 0 })
		}},
		"flat map": {fresh: func() record.Processor {
			return record.FlatMap(func(map[string]any) ([]int, error) { return []int{1, 2}, nil })
		}},
		"hold": {fresh: holding(hold{until: 5}), opts: testkit.ProcessorOptions{Conserves: true}},
		"aged": {fresh: holding(hold{until: 100, age: time.Minute}), opts: testkit.ProcessorOptions{Conserves: true}},
		"durable": {
			fresh: holding(hold{until: 5, says: func(_ *hold, h *record.Holding) { h.Span = 0 }}),
			opts:  testkit.ProcessorOptions{Durable: true},
		},
		"settler": {fresh: settling(settler{}), opts: testkit.ProcessorOptions{Conserves: true, Durable: true}},
		"faulty hold": {
			fresh: func() record.Processor { return &testkit.FaultyProcessor{Processor: holding(hold{until: 5})()} },
			opts:  testkit.ProcessorOptions{Conserves: true},
		},
		"hung": {
			fresh: func() record.Processor { return new(testkit.FaultyProcessor) },
			opts: testkit.ProcessorOptions{Hung: func(*testing.T) record.Processor {
				return &testkit.FaultyProcessor{OnProcess: testkit.Block()}
			}},
		},
	} {
		v := testkit.JudgeProcessor(t, c.fresh, sample, c.opts)
		assert.Empty(t, v.Broken, name)
	}
}

type processorDouble struct {
	rule, name string
	fresh      func() record.Processor
	opts       testkit.ProcessorOptions
}

// processing makes processors of a function, each with a counter of its calls.
func processing(f func(ctx context.Context, records []record.Record, n int) ([]record.Record, error)) func() record.Processor {
	return func() record.Processor {
		var mu sync.Mutex
		n := -1
		return record.ProcessorFunc(func(ctx context.Context, records []record.Record) ([]record.Record, error) {
			mu.Lock()
			n++
			at := n
			mu.Unlock()
			return f(ctx, records, at)
		})
	}
}

// struck makes processors that change nothing, after a fault.
func struck(fresh func() testkit.Fault) func() record.Processor {
	return func() record.Processor {
		f := fresh()
		return record.ProcessorFunc(func(ctx context.Context, records []record.Record) ([]record.Record, error) {
			return records, f(ctx, len(records))
		})
	}
}

func always(f testkit.Fault) func() testkit.Fault { return func() testkit.Fault { return f } }

// mapping makes processors that make each record another.
func mapping(f func(r record.Record) []record.Record) func() record.Processor {
	return processing(func(_ context.Context, records []record.Record, _ int) ([]record.Record, error) {
		var out []record.Record
		for _, r := range records {
			out = append(out, f(r)...)
		}
		return out, nil
	})
}

type invalidProcessor struct{ record.Processor }

func (invalidProcessor) Validate() error { return errBroken }

func processorDoubles() []processorDouble {
	var all []processorDouble
	add := func(rule, name string, fresh func() record.Processor) {
		all = append(all, processorDouble{rule: rule, name: name, fresh: fresh})
	}

	add("valid", "invalid", func() record.Processor { return invalidProcessor{struck(always(testkit.Fail(nil)))()} })
	add("ended context", "deaf", struck(always(ifEnded(deaf))))
	add("error of the context", "own words", struck(always(ifEnded(testkit.Fail(errBroken)))))
	add("context ending during the call", "deaf", struck(always(ifAlive(deaf))))
	add("context of an earlier call", "kept", struck(func() testkit.Fault {
		keep, use := keeping()
		return both(use, keep)
	}))
	add("goroutines", "of a call", struck(always(leak)))
	add("no records", "fails", struck(func() testkit.Fault {
		return testkit.Flaky(2, func(_ context.Context, n int) error { // later calls are those of other rules
			if n == 0 {
				return errBroken
			}
			return nil
		})
	}))
	add("slice read-only", "filters in place", processing(func(_ context.Context, records []record.Record, _ int) ([]record.Record, error) {
		out := records[:0]
		for i, r := range records {
			if i > 0 {
				out = append(out, r)
			}
		}
		return out, nil
	}))
	add("payloads read-only", "in place", mapping(func(r record.Record) []record.Record {
		if m, ok := r.Payload.(map[string]any); ok {
			m["seen"] = true
		}
		return []record.Record{r}
	}))
	add("slice returned", "used again", func() record.Processor {
		var mu sync.Mutex
		var buf []record.Record
		return record.ProcessorFunc(func(_ context.Context, records []record.Record) ([]record.Record, error) {
			mu.Lock()
			defer mu.Unlock()
			buf = append(buf[:0], records...)
			return buf, nil
		})
	})
	add("what describes a record", "made anew", mapping(func(r record.Record) []record.Record {
		return []record.Record{record.New(r.Payload)}
	}))
	add("what describes a record", "no metadata", mapping(func(r record.Record) []record.Record {
		return []record.Record{record.New(r.Payload).WithID(r.ID())}
	}))
	add("what describes a record", "no inlet", mapping(func(r record.Record) []record.Record {
		return []record.Record{record.Record{Payload: r.Payload, Metadata: r.Metadata}.WithID(r.ID())}
	}))
	add("unique IDs", "one ID for two", mapping(func(r record.Record) []record.Record { return []record.Record{r, r.With(1)} }))
	add("holds nothing unless it is a Holder", "one behind", func() record.Processor {
		var mu sync.Mutex
		var held []record.Record
		return record.ProcessorFunc(func(_ context.Context, records []record.Record) ([]record.Record, error) {
			mu.Lock()
			defer mu.Unlock()
			out := held
			held = slices.Clone(records)
			return out, nil
		})
	})
	all = append(all, processorDouble{
		"conserves", "loses the first", processing(func(_ context.Context, records []record.Record, n int) ([]record.Record, error) {
			if n == 0 && len(records) > 0 {
				records = records[1:]
			}
			return records, nil
		}), testkit.ProcessorOptions{Conserves: true},
	})
	add("concurrent calls", "not safe", struck(func() testkit.Fault {
		var running atomic.Int64
		return func(context.Context, int) error {
			defer running.Add(-1)
			if running.Add(1) > 1 {
				return errBroken
			}
			time.Sleep(time.Millisecond)
			return nil
		}
	}))
	return all
}

// namelessProcessor has a name of no letters.
type namelessProcessor struct{ record.Processor }

func (namelessProcessor) String() string { return "" }

// stageDoubles have a name, a Start and a Shutdown.
func stageDoubles() []processorDouble {
	var all []processorDouble
	add := func(rule, name string, fresh func() *testkit.FaultyProcessor) {
		all = append(all, processorDouble{rule: rule, name: name, fresh: func() record.Processor { return fresh() }})
	}
	node := func(rule, name string, f *testkit.FaultyProcessor) {
		add(rule, name, func() *testkit.FaultyProcessor {
			return &testkit.FaultyProcessor{Name: f.Name, OnStart: f.OnStart, OnProcess: f.OnProcess, OnShutdown: f.OnShutdown}
		})
	}
	all = append(all, processorDouble{rule: "name", name: "empty", fresh: func() record.Processor {
		return namelessProcessor{new(testkit.FaultyProcessor)}
	}})
	node("name without password", "URL", &testkit.FaultyProcessor{Name: "redis://:secret@example.com"})
	node("goroutines", "of the start", &testkit.FaultyProcessor{OnStart: ifAlive(leak)})
	add("start again", "refused", func() *testkit.FaultyProcessor {
		p := new(testkit.FaultyProcessor)
		p.OnStart = func(context.Context, int) error {
			if p.Starts() > 1 {
				return errBroken
			}
			return nil
		}
		return p
	})
	node("start with an ended context", "deaf", &testkit.FaultyProcessor{OnStart: ifEnded(deaf)})
	node("failed start", "left a goroutine", &testkit.FaultyProcessor{OnStart: ifEnded(both(leak, ownError))})
	add("context of the start", "kept", func() *testkit.FaultyProcessor {
		keep, use := keeping()
		return &testkit.FaultyProcessor{OnStart: keep, OnProcess: use}
	})
	node("shutdown with an ended context", "deaf", &testkit.FaultyProcessor{OnShutdown: ifEnded(deaf)})
	return all
}
