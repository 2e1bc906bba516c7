package testkit_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

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

type checkedOutlet struct {
	outlet.Outlet
	check testkit.Fault
}

func (o checkedOutlet) Check(ctx context.Context) error { return o.check(ctx, 0) }

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
	asked := func(rule, name string, check func(ctx context.Context, s *testkit.Sink) error) {
		add(rule, name, func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return checkedOutlet{s, func(ctx context.Context, _ int) error { return check(ctx, s) }}, s.Records
		})
	}
	asked("check", "fails", func(context.Context, *testkit.Sink) error { return errBroken })
	asked("check moves nothing", "writes", func(_ context.Context, s *testkit.Sink) error { write(s, record.New("check")); return nil })
	asked("check leaves no goroutine", "leaks", func(ctx context.Context, _ *testkit.Sink) error { return leak(ctx, 0) })
	asked("check with an ended context", "deaf", func(ctx context.Context, _ *testkit.Sink) error { return ifEnded(deaf)(ctx, 0) })
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
