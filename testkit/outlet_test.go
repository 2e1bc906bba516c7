package testkit_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// TestOutletDoubles has, for every rule, outlets that exactly this rule catches.
func TestOutletDoubles(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, d := range slices.Concat(outletDoubles(), pushDoubles(), answerDoubles()) {
		rules[d.rule] = true
		t.Run(d.rule+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			exactly(t, d.rule, testkit.JudgeOutlet(t, d.fresh, sample, d.opts))
		})
	}
	complete(t, testkit.OutletRules(), rules)
}

func TestOutletGoodDoubles(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func() (outlet.Outlet, func() []record.Record){
		"sink":   func() (outlet.Outlet, func() []record.Record) { s := new(testkit.Sink); return s, s.Records },
		"faulty": sinking(new(testkit.FaultyOutlet)),
		"strict": strict(nil),
		"unread": func() (outlet.Outlet, func() []record.Record) { return new(testkit.Sink), nil },
	} {
		v := testkit.JudgeOutlet(t, fresh, sample, testkit.OutletOptions{})
		assert.Empty(t, v.Broken, name)
		if name == "unread" {
			assert.Contains(t, v.Skipped["writes"], "not checked: newOutlet returned no function")
		}
	}
	v := testkit.JudgeOutlet(t, sinking(new(testkit.FaultyOutlet)), sample, testkit.OutletOptions{Unordered: true})
	assert.Empty(t, v.Broken)
	assert.Equal(t, "the options say Unordered", v.Skipped["order"])
}

type outletDouble struct {
	rule, name string
	fresh      func() (outlet.Outlet, func() []record.Record)
	opts       testkit.OutletOptions
}

// sinking makes faulty outlets on a sink.
func sinking(f *testkit.FaultyOutlet) func() (outlet.Outlet, func() []record.Record) {
	return func() (outlet.Outlet, func() []record.Record) {
		s := new(testkit.Sink)
		return &testkit.FaultyOutlet{
			Outlet: s, Name: f.Name,
			OnStart: f.OnStart, OnPush: f.OnPush, OnShutdown: f.OnShutdown, AfterPush: f.AfterPush,
		}, s.Records
	}
}

// pushing makes outlets of a function that has a sink to write to.
func pushing(push func(s *testkit.Sink, records []record.Record) error) func() (outlet.Outlet, func() []record.Record) {
	return func() (outlet.Outlet, func() []record.Record) {
		s := new(testkit.Sink)
		return outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
			return push(s, records)
		}), s.Records
	}
}

func write(s *testkit.Sink, records ...record.Record) {
	_ = s.Push(context.Background(), records, record.Update{})
}

type invalidOutlet struct{ outlet.Outlet }

func (invalidOutlet) Validate() error { return errBroken }

type namelessOutlet struct{ outlet.Outlet }

func (namelessOutlet) String() string { return "" }

type renamedOutlet struct {
	outlet.Outlet
	asked *renamed
}

func (r renamedOutlet) String() string { return r.asked.String() }

// reading says ReadOnly.
type reading struct{ outlet.Outlet }

func (reading) ReadOnly() bool { return true }

func outletDoubles() []outletDouble {
	var all []outletDouble
	add := func(rule, name string, fresh func() (outlet.Outlet, func() []record.Record)) {
		all = append(all, outletDouble{rule: rule, name: name, fresh: fresh})
	}
	node := func(rule, name string, f *testkit.FaultyOutlet) { add(rule, name, sinking(f)) }
	// own makes outlets with faults that know their outlet.
	own := func(rule, name string, alter func(f *testkit.FaultyOutlet)) {
		add(rule, name, func() (outlet.Outlet, func() []record.Record) {
			out, written := sinking(new(testkit.FaultyOutlet))()
			alter(out.(*testkit.FaultyOutlet))
			return out, written
		})
	}
	around := func(rule, name string, decorate func(outlet.Outlet) outlet.Outlet) {
		add(rule, name, func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return decorate(s), s.Records
		})
	}

	around("valid", "invalid", func(o outlet.Outlet) outlet.Outlet { return invalidOutlet{o} })
	around("name", "empty", func(o outlet.Outlet) outlet.Outlet { return namelessOutlet{o} })
	around("name", "changing", func(o outlet.Outlet) outlet.Outlet {
		return renamedOutlet{o, &renamed{asked: new(atomic.Int64)}}
	})
	node("name without password", "URL", &testkit.FaultyOutlet{Name: "mongodb://me:secret@example.com"})
	node("ended context", "deaf", &testkit.FaultyOutlet{OnPush: ifEnded(deaf)})
	node("error of the context", "own words", &testkit.FaultyOutlet{OnPush: ifEnded(testkit.Fail(errBroken))})
	node("context ending during the call", "deaf", &testkit.FaultyOutlet{OnPush: ifAlive(deaf)})
	all = append(all, outletDouble{
		"context ending during the call", "deaf when it hangs", sinking(new(testkit.FaultyOutlet)),
		testkit.OutletOptions{Hung: func(*testing.T) outlet.Outlet { return &testkit.FaultyOutlet{OnPush: deaf} }},
	})
	own("context of an earlier call", "kept", func(f *testkit.FaultyOutlet) {
		keep, use := keeping()
		f.OnPush = both(use, keep)
	})
	node("goroutines", "of a push", &testkit.FaultyOutlet{AfterPush: leak})
	node("goroutines", "of the start", &testkit.FaultyOutlet{OnStart: ifAlive(leak)})
	own("start again", "refused", func(f *testkit.FaultyOutlet) {
		f.OnStart = func(context.Context, int) error {
			if f.Starts() > 1 {
				return errBroken
			}
			return nil
		}
	})
	node("start with an ended context", "deaf", &testkit.FaultyOutlet{OnStart: ifEnded(deaf)})
	node("failed start", "left a goroutine", &testkit.FaultyOutlet{OnStart: ifEnded(both(leak, ownError))})
	own("context of the start", "kept", func(f *testkit.FaultyOutlet) { f.OnStart, f.OnPush = keeping() })
	node("shutdown with an ended context", "deaf", &testkit.FaultyOutlet{OnShutdown: ifEnded(deaf)})
	for _, c := range []struct {
		name   string
		change func(u record.Update)
	}{
		{"tags changed", func(u record.Update) { u.Tags[0] = "mine" }},
		{"commit changed", func(u record.Update) {
			if u.Commit != nil {
				u.Commit.Value[0] = 'V'
			}
		}},
	} {
		around("update", c.name, func(o outlet.Outlet) outlet.Outlet {
			return outlet.Func(func(ctx context.Context, records []record.Record, u record.Update) error {
				c.change(u)
				return o.Push(ctx, records, u)
			})
		})
	}
	own("kept at shutdown", "emptied", func(f *testkit.FaultyOutlet) {
		f.OnShutdown = func(context.Context, int) error {
			f.Outlet.(*testkit.Sink).Reset()
			return nil
		}
	})
	own("push after shutdown", "panics", func(f *testkit.FaultyOutlet) {
		f.OnPush = func(context.Context, int) error {
			if f.Shutdowns() == f.Starts() {
				panic("closed")
			}
			return nil
		}
	})
	own("push after shutdown", "writes nothing", func(f *testkit.FaultyOutlet) {
		f.Name = "named"
		f.OnShutdown = func(context.Context, int) error {
			f.Outlet = outlet.Discard()
			return nil
		}
	})
	return all
}

func pushDoubles() []outletDouble {
	var all []outletDouble
	add := func(rule, name string, fresh func() (outlet.Outlet, func() []record.Record)) {
		all = append(all, outletDouble{rule: rule, name: name, fresh: fresh})
	}
	add("no records", "fails", sinking(&testkit.FaultyOutlet{OnPush: func(_ context.Context, n int) error {
		if n == 0 {
			return errBroken
		}
		return nil
	}}))
	add("no records", "panics", pushing(func(s *testkit.Sink, records []record.Record) error {
		_ = records[0]
		write(s, records...)
		return nil
	}))
	add("writes", "loses one of many", pushing(func(s *testkit.Sink, records []record.Record) error {
		write(s, records[:min(len(records), 99)]...)
		return nil
	}))
	add("writes", "one of many twice", pushing(func(s *testkit.Sink, records []record.Record) error {
		write(s, records...)
		if len(records) > 50 {
			write(s, records[50])
		}
		return nil
	}))
	add("order", "backwards", pushing(func(s *testkit.Sink, records []record.Record) error {
		for _, r := range slices.Backward(records) {
			write(s, r)
		}
		return nil
	}))
	readBack := func(name string, change func(r record.Record) record.Record) {
		add("metadata", name, func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return s, func() []record.Record {
				records := s.Records()
				for i, r := range records {
					records[i] = change(r)
				}
				return records
			}
		})
	}
	readBack("attribute lost", func(r record.Record) record.Record {
		return record.New(r.Payload, record.Attr{Key: "testkit.other", Value: 1})
	})
	readBack("other ID", func(r record.Record) record.Record { return r.WithID("id") })

	reader := func(rule, name string, push func(s *testkit.Sink, records []record.Record) error) {
		fresh := pushing(push)
		add(rule, name, func() (outlet.Outlet, func() []record.Record) {
			out, written := fresh()
			return reading{out}, written
		})
	}
	reader("slice of a reader", "changes the order", func(s *testkit.Sink, records []record.Record) error {
		write(s, records...)
		slices.Reverse(records)
		return nil
	})
	// copies are what is written, so that only the caller's payloads are changed.
	copies := func(s *testkit.Sink, records []record.Record) {
		c, _ := new(record.Copier).Records(nil, records)
		write(s, c...)
	}
	reader("payloads of a reader", "at once", func(s *testkit.Sink, records []record.Record) error {
		copies(s, records)
		for _, r := range records {
			if m, ok := r.Payload.(map[string]any); ok {
				m["written"] = true
			}
		}
		return nil
	})
	add("payloads of a reader", "at shutdown", func() (outlet.Outlet, func() []record.Record) {
		s, kept := new(testkit.Sink), new(testkit.Sink)
		return &testkit.FaultyOutlet{
			Outlet: reading{outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
				copies(s, records)
				write(kept, records...)
				return nil
			})},
			OnShutdown: func(context.Context, int) error {
				for _, r := range kept.Records() {
					if m, ok := r.Payload.(map[string]any); ok {
						clear(m)
					}
				}
				return nil
			},
		}, s.Records
	})
	add("slice given", "kept", func() (outlet.Outlet, func() []record.Record) {
		var mu sync.Mutex
		var batches [][]record.Record
		return outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
				mu.Lock()
				defer mu.Unlock()
				batches = append(batches, records)
				return nil
			}), func() []record.Record {
				mu.Lock()
				defer mu.Unlock()
				return slices.Concat(batches...)
			}
	})
	for name, answer := range map[string]error{"fails": errBroken, "loses": nil} {
		add("concurrent pushes", name, func() (outlet.Outlet, func() []record.Record) {
			var running atomic.Int64
			return pushing(func(s *testkit.Sink, records []record.Record) error {
				defer running.Add(-1)
				if running.Add(1) > 1 {
					return answer
				}
				time.Sleep(time.Millisecond)
				write(s, records...)
				return nil
			})()
		})
	}
	return all
}

// strict makes outlets that accept payloads of the samples' type, and answer as
// they should or else by fail.
func strict(fail func(s *testkit.Sink, good []record.Record, bad map[int]error) error) func() (outlet.Outlet, func() []record.Record) {
	return pushing(func(s *testkit.Sink, records []record.Record) error {
		var good []record.Record
		bad := make(map[int]error)
		for i, r := range records {
			if _, err := record.As[map[string]any](r); err != nil {
				bad[i] = err
			} else {
				good = append(good, r)
			}
		}
		switch {
		case len(bad) > 0 && fail != nil:
			return fail(s, good, bad)
		case len(bad) > 0:
			write(s, good...)
			return &record.Partial{Failed: bad}
		}
		write(s, good...)
		return nil
	})
}

func answerDoubles() []outletDouble {
	type answer = func(s *testkit.Sink, good []record.Record, bad map[int]error) error
	var all []outletDouble
	add := func(rule, name string, fail answer) {
		all = append(all, outletDouble{rule: rule, name: name, fresh: strict(fail)})
	}
	// naming writes what it should, but names others.
	naming := func(causes map[int]error) answer {
		return func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
			write(s, good...)
			maps.Copy(bad, causes)
			return &record.Partial{Failed: bad}
		}
	}
	for name, written := range map[string]int{"one was written": 1, "nothing was written": 0} {
		answer := error(nil)
		if written > 0 {
			answer = context.Canceled
		}
		all = append(all, outletDouble{rule: "answer when the context has ended", name: name, fresh: func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return outlet.Func(func(ctx context.Context, records []record.Record, _ record.Update) error {
				if ctx.Err() != nil {
					write(s, records[:written]...)
					return answer
				}
				write(s, records...)
				return nil
			}), s.Records
		}})
	}
	add("foreign payload", "fails all", func(*testkit.Sink, []record.Record, map[int]error) error { return errBroken })
	add("foreign payload", "panics", func(*testkit.Sink, []record.Record, map[int]error) error { panic("unknown type") })
	add("foreign payload", "fails what comes before", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, good[1:]...)
		bad[0] = record.Permanent(errBroken)
		return &record.Partial{Failed: bad}
	})
	add("permanent failure", "not marked", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, good...)
		return &record.Partial{Failed: map[int]error{1: errBroken}}
	})
	add("indices of a partial answer", "out of range", naming(map[int]error{99: record.Permanent(errBroken)}))
	add("indices of a partial answer", "no cause", naming(map[int]error{1: nil}))
	add("indices of a partial answer", "none", func(s *testkit.Sink, good []record.Record, _ map[int]error) error {
		write(s, good...)
		return new(record.Partial)
	})
	add("partial answer", "the rest was not written", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, good[0])
		return &record.Partial{Failed: bad}
	})
	add("partial answer", "what failed was written", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, append(good, record.New(nil))...)
		return &record.Partial{Failed: bad}
	})
	return all
}
