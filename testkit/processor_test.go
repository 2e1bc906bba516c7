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
	for _, d := range slices.Concat(processorDoubles(), failureDoubles(), holderDoubles()) {
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

// answering makes processors that accept payloads of the samples' type, and answer
// by fail when there are others.
func answering(fail func(records []record.Record, bad map[int]error) ([]record.Record, error)) func() record.Processor {
	return processing(func(_ context.Context, records []record.Record, _ int) ([]record.Record, error) {
		bad := make(map[int]error)
		for i, r := range records {
			if _, err := record.As[map[string]any](r); err != nil {
				bad[i] = err
			}
		}
		if len(bad) > 0 {
			return fail(records, bad)
		}
		return records, nil
	})
}

func failureDoubles() []processorDouble {
	var all []processorDouble
	add := func(rule, name string, fail func(records []record.Record, bad map[int]error) ([]record.Record, error)) {
		all = append(all, processorDouble{rule: rule, name: name, fresh: answering(fail)})
	}
	naming := func(causes map[int]error) func(records []record.Record, bad map[int]error) ([]record.Record, error) {
		return func(records []record.Record, bad map[int]error) ([]record.Record, error) {
			for i, err := range causes {
				bad[i] = err
			}
			return []record.Record{records[2]}, &record.Partial{Failed: bad}
		}
	}
	add("foreign payload", "panics", func([]record.Record, map[int]error) ([]record.Record, error) { panic("unknown type") })
	add("foreign payload", "another fails too", naming(map[int]error{0: errBroken}))
	add("indices of a partial failure", "out of range", naming(map[int]error{-1: errBroken}))
	add("indices of a partial failure", "no cause", naming(map[int]error{1: nil}))
	add("results of a partial failure", "comes out too", func(records []record.Record, bad map[int]error) ([]record.Record, error) {
		return records, &record.Partial{Failed: bad}
	})
	all = append(all, processorDouble{
		rule: "failed call", name: "keeps what came before",
		fresh: holding(hold{until: 5, take: func(h *hold, records []record.Record) error {
			for _, r := range records {
				if _, err := record.As[map[string]any](r); err != nil {
					return err
				}
				h.held = append(h.held, r)
			}
			return nil
		}}),
	})
	return all
}

// hold is a holder that releases everything when it has so many records, or when
// the oldest has such an age. Some of what it does may be done otherwise.
type hold struct {
	until   int
	age     time.Duration
	take    func(h *hold, records []record.Record) error
	release func(h *hold, flush bool) []record.Record
	says    func(h *hold, holding *record.Holding)
	onFlush func(h *hold)

	held  []record.Record
	since time.Time
	flush bool
	given int
}

// holding makes holders like h.
func holding(h hold) func() record.Processor {
	return func() record.Processor { return new(h) }
}

func (h *hold) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	if len(h.held) == 0 {
		h.since = time.Now()
	}
	if h.take != nil {
		if err := h.take(h, records); err != nil {
			return nil, err
		}
	} else {
		h.held = append(h.held, records...)
	}
	h.given += len(records)
	flush := h.flush
	h.flush = false
	switch {
	case h.release != nil:
		return h.release(h, flush), nil
	case flush, len(h.held) >= h.until, h.age > 0 && time.Since(h.since) >= h.age:
		return h.all(), nil
	}
	return nil, nil
}

func (h *hold) all() []record.Record {
	out := h.held
	h.held = nil
	return out
}

func (h *hold) Flush() {
	h.flush = true
	if h.onFlush != nil {
		h.onFlush(h)
	}
}

func (h *hold) Holding() record.Holding {
	holding := record.Holding{Records: len(h.held), Span: len(h.held)}
	if h.age > 0 && len(h.held) > 0 {
		holding.Wake = h.since.Add(h.age)
	}
	if h.says != nil {
		h.says(h, &holding)
	}
	return holding
}

func holderDoubles() []processorDouble {
	var all []processorDouble
	add := func(rule, name string, h hold) {
		all = append(all, processorDouble{rule: rule, name: name, fresh: holding(h)})
	}
	says := func(f func(h *hold, holding *record.Holding)) hold { return hold{until: 6, says: f} }

	add("payloads read-only", "when it releases", hold{release: func(h *hold, flush bool) []record.Record {
		if !flush && len(h.held) < 6 {
			return nil
		}
		for _, r := range h.held {
			if m, ok := r.Payload.(map[string]any); ok {
				m["released"] = true
			}
		}
		return h.all()
	}})
	add("slice given", "kept", hold{
		take: func(h *hold, records []record.Record) error {
			if len(h.held) == 0 {
				h.held = records
			} else {
				h.held = append(h.held, records...)
			}
			return nil
		},
		until: 6,
	})
	add("slice returned", "capacity kept", hold{release: func(h *hold, flush bool) []record.Record {
		if flush {
			return h.all()
		}
		n := len(h.held) / 2
		out := h.held[:n]
		h.held = h.held[n:]
		return out
	}})
	add("holding at first", "span", says(func(h *hold, holding *record.Holding) {
		if h.given == 0 {
			holding.Span = 1
		}
	}))
	add("holding counts records", "one too few", says(func(_ *hold, holding *record.Holding) {
		if holding.Records > 1 {
			holding.Records--
		}
	}))
	add("span", "none", says(func(_ *hold, holding *record.Holding) { holding.Span = 0 }))
	add("span", "more than there were", says(func(h *hold, holding *record.Holding) {
		if holding.Span > 0 {
			holding.Span = h.given + 1
		}
	}))
	add("span", "counts as if in order", hold{release: func(h *hold, flush bool) []record.Record {
		if flush || len(h.held) == 0 {
			return h.all()
		}
		out := slices.Clone(h.held[1:]) // the first one stays
		h.held = h.held[:1:1]
		return out
	}})
	add("flush", "a half", hold{release: func(h *hold, flush bool) []record.Record {
		if !flush && len(h.held) < 100 {
			return nil
		}
		n := (len(h.held) + 1) / 2
		out := slices.Clone(h.held[:n])
		h.held = slices.Clone(h.held[n:])
		return out
	}})
	add("flush", "not what is new", hold{
		take: func(h *hold, records []record.Record) error {
			h.held = append(h.held, records...)
			if h.flush { // release keeps what is new
				h.until = len(records)
			}
			return nil
		},
		release: func(h *hold, flush bool) []record.Record {
			if !flush && len(h.held) < 100 {
				return nil
			}
			n := len(h.held) - h.until
			out := slices.Clone(h.held[:n])
			h.held = slices.Clone(h.held[n:])
			return out
		},
	})
	add("flush only asks", "drops", hold{until: 6, onFlush: func(h *hold) { h.held = nil }})
	add("flush only asks", "nothing comes out", hold{release: func(h *hold, flush bool) []record.Record {
		if flush || len(h.held) >= 6 {
			h.held = nil
		}
		return nil
	}})
	add("flush of nothing", "stays armed", hold{
		onFlush: func(h *hold) { h.until = 1 },
		take: func(h *hold, records []record.Record) error {
			if h.until == 0 {
				h.until = 6
			}
			h.held = append(h.held, records...)
			return nil
		},
		release: func(h *hold, _ bool) []record.Record {
			if len(h.held) < h.until {
				return nil
			}
			h.until = 6
			return h.all()
		},
	})
	add("wake", "passed", hold{
		age: time.Minute,
		release: func(h *hold, flush bool) []record.Record {
			if flush || len(h.held) >= 6 {
				return h.all()
			}
			return nil
		},
	})
	add("wake", "for nothing", says(func(h *hold, holding *record.Holding) { holding.Wake = time.Now().Add(time.Hour) }))
	return all
}
