package testkit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
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
	all = append(all, pullDoubles()...)
	all = append(all, positionDoubles()...)
	return append(all, commitDoubles()...)
}

func pullDoubles() []inletDouble {
	var all []inletDouble
	add := func(rule, name string, prepare func() func() inlet.Inlet) {
		all = append(all, inletDouble{rule: rule, name: name, prepare: prepare})
	}
	add("yields records", "nothing", each(inlet.Null))
	all = append(all, inletDouble{"yields records", "not empty", each(plain), testkit.InletOptions{Empty: true}})
	add("payloads", "nil", each(func() inlet.Inlet { return testkit.Values([]any{1, nil}) }))
	add("metadata keys", "no package", each(func() inlet.Inlet {
		return inlet.WithMetadata(plain(), record.Attr{Key: "file", Value: "rows.csv"})
	}))
	add("global metadata", "shared cache", func() func() inlet.Inlet {
		cache := []record.Record{record.New(1), record.New(2)}
		return func() inlet.Inlet {
			var done atomic.Bool
			return inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
				if done.Swap(true) {
					return nil, nil
				}
				return cache, nil
			})
		}
	})
	add("earlier records stay", "slice used again", each(func() inlet.Inlet {
		var buf []record.Record
		return pullFunc(func(n int) []record.Record {
			buf = append(buf[:0], record.New(n))
			return buf
		})
	}))
	add("earlier records stay", "payload used again", each(func() inlet.Inlet {
		inner := make(map[string]any)
		return pullFunc(func(n int) []record.Record {
			inner["n"] = n
			return []record.Record{record.New(map[string]any{"row": inner})}
		})
	}))
	add("gives records away", "cached slice", each(func() inlet.Inlet {
		cache := []record.Record{record.New(1), record.New(2)}
		return pullFunc(func(int) []record.Record { return cache })
	}))
	add("gives records away", "cached payload", each(func() inlet.Inlet {
		payload := map[string]any{"n": 1}
		return pullFunc(func(int) []record.Record { return []record.Record{record.New(payload)} })
	}))
	add("concurrent pulls", "not safe", each(func() inlet.Inlet {
		var running atomic.Int64
		return &testkit.FaultyInlet{Inlet: plain(), OnPull: func(context.Context, int) error {
			defer running.Add(-1)
			if running.Add(1) > 1 {
				return errBroken
			}
			time.Sleep(time.Millisecond)
			return nil
		}}
	}))
	return all
}

// altered is a resumable inlet some methods of which are others.
type altered struct {
	*testkit.Rows
	used     bool
	pull     func(a *altered, ctx context.Context) ([]record.Record, error)
	seek     func(a *altered, position []byte) error
	position func(a *altered) []byte
}

func (a *altered) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	a.used = true
	if a.pull != nil {
		return a.pull(a, ctx)
	}
	return a.Rows.Pull(ctx, u)
}

func (a *altered) Seek(ctx context.Context, position []byte) error {
	if a.seek != nil {
		return a.seek(a, position)
	}
	return a.Rows.Seek(ctx, position)
}

func (a *altered) Position() []byte {
	if a.position != nil {
		return a.position(a)
	}
	return a.Rows.Position()
}

// shifted seeks a fresh inlet by too much, unless that is after the last row.
func shifted(by int) func(a *altered, position []byte) error {
	return func(a *altered, position []byte) error {
		if n, err := strconv.Atoi(string(position)); err == nil && !a.used && n < a.Len() {
			position = []byte(strconv.Itoa(n + by))
		}
		return a.Rows.Seek(context.Background(), position)
	}
}

func positionDoubles() []inletDouble {
	var all []inletDouble
	add := func(rule, name string, fresh func() inlet.Inlet) {
		all = append(all, inletDouble{rule: rule, name: name, prepare: each(fresh)})
	}
	alter := func(rule, name string, a altered) {
		add(rule, name, func() inlet.Inlet {
			return &altered{Rows: rows(), pull: a.pull, seek: a.seek, position: a.position}
		})
	}
	ctx := context.Background()
	alter("beginning", "nil is nothing", altered{seek: func(a *altered, position []byte) error {
		if position == nil {
			return nil
		}
		return a.Rows.Seek(ctx, position)
	}})
	alter("resume", "one is missing", altered{seek: shifted(1)})
	alter("resume", "one comes twice", altered{seek: shifted(-1)})
	alter("seek back", "only once", altered{seek: func(a *altered, position []byte) error {
		if position != nil && a.used {
			return nil
		}
		return a.Rows.Seek(ctx, position)
	}})
	add("position after an empty pull", "the beginning", func() inlet.Inlet {
		dry := false
		return &altered{
			Rows: rows(),
			pull: func(a *altered, ctx context.Context) ([]record.Record, error) {
				records, err := a.Rows.Pull(ctx, record.Update{})
				dry = len(records) == 0
				return records, err
			},
			position: func(a *altered) []byte {
				if dry {
					return nil
				}
				return a.Rows.Position()
			},
		}
	})
	alter("position after a pull given up", "moves", altered{pull: func(a *altered, ended context.Context) ([]record.Record, error) {
		records, err := a.Rows.Pull(ctx, record.Update{})
		if ended.Err() != nil {
			return nil, ended.Err()
		}
		return records, err
	}})
	add("bytes of the position", "used again", func() inlet.Inlet {
		var buf []byte
		return &altered{Rows: rows(), position: func(a *altered) []byte {
			buf = append(buf[:0], a.Rows.Position()...)
			return buf
		}}
	})
	add("bytes of the position", "those of Seek", func() inlet.Inlet {
		var given []byte
		return &altered{
			Rows: rows(),
			seek: func(a *altered, position []byte) error {
				given = position
				return a.Rows.Seek(ctx, position)
			},
			pull: func(a *altered, ctx context.Context) ([]record.Record, error) {
				copy(given, "9")
				return a.Rows.Pull(ctx, record.Update{})
			},
		}
	})
	alter("unreadable position", "taken for the beginning", altered{seek: func(a *altered, position []byte) error {
		if a.Rows.Seek(ctx, position) != nil {
			return a.Rows.Seek(ctx, nil)
		}
		return nil
	}})
	alter("unreadable position", "panics", altered{seek: func(a *altered, position []byte) error {
		if err := a.Rows.Seek(ctx, position); err != nil {
			panic(err)
		}
		return nil
	}})
	withID := func(id func(r record.Record) string) func(a *altered, ctx context.Context) ([]record.Record, error) {
		return func(a *altered, ctx context.Context) ([]record.Record, error) {
			records, err := a.Rows.Pull(ctx, record.Update{})
			for i, r := range records {
				records[i] = r.WithID(id(r))
			}
			return records, err
		}
	}
	var serial atomic.Int64
	alter("same IDs again", "made up", altered{pull: withID(func(record.Record) string { return fmt.Sprint(serial.Add(1)) })})
	alter("unique IDs", "one for all", altered{pull: withID(func(record.Record) string { return "id" })})

	add("position complete", "Seek without Position", func() inlet.Inlet {
		return struct {
			named
			seeker
		}{named{plain()}, seeker{}}
	})
	add("position complete", "Position alone", func() inlet.Inlet { return positioned{plain()} })
	add("position complete", "Commit without Position", func() inlet.Inlet { return committed{plain()} })
	add("position complete", "no name", func() inlet.Inlet {
		r := rows()
		return struct {
			inlet.Inlet
			inlet.Seeker
			inlet.Positioner
		}{inlet.Func(r.Pull), r, r}
	})
	return all
}

type named struct{ inlet.Inlet }

func (named) String() string { return "named" }

type seeker struct{}

func (seeker) Seek(context.Context, []byte) error { return nil }

type positioned struct{ inlet.Inlet }

func (positioned) Position() []byte { return nil }

type committed struct{ inlet.Inlet }

func (committed) Commit(context.Context, []byte) error { return nil }

// broker keeps the position of its inlets.
type broker struct {
	mu        sync.Mutex
	committed int
}

func (b *broker) commit(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.committed = n
}

type fromBroker struct {
	*broker
	read     int
	onPull   func(f *fromBroker)
	onCommit func(f *fromBroker, position []byte) error
	pulling  atomic.Bool
	last     []byte
}

func (f *fromBroker) Start(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = f.committed
	return nil
}

func (f *fromBroker) Pull(context.Context, record.Update) ([]record.Record, error) {
	if f.read == 20 {
		return nil, nil
	}
	f.read++
	r := record.New(f.read)
	if f.onPull != nil {
		f.onPull(f)
	}
	return []record.Record{r}, nil
}

func (f *fromBroker) Position() []byte { return strconv.AppendInt(nil, int64(f.read), 10) }

func (f *fromBroker) Commit(_ context.Context, position []byte) error {
	if f.onCommit != nil {
		if err := f.onCommit(f, position); err != nil {
			return err
		}
	}
	n, err := strconv.Atoi(string(position))
	f.commit(n)
	return err
}

func brokers(alter func(f *fromBroker)) func() func() inlet.Inlet {
	return func() func() inlet.Inlet {
		b := new(broker)
		return func() inlet.Inlet {
			f := &fromBroker{broker: b}
			if alter != nil {
				alter(f)
			}
			return f
		}
	}
}

func commitDoubles() []inletDouble {
	return []inletDouble{
		{rule: "commit", name: "not during a pull", prepare: brokers(func(f *fromBroker) {
			f.onPull = func(f *fromBroker) {
				f.pulling.Store(true)
				time.Sleep(time.Millisecond)
				f.pulling.Store(false)
			}
			f.onCommit = func(f *fromBroker, _ []byte) error {
				time.Sleep(time.Millisecond / 2)
				if f.pulling.Load() {
					return errors.New("a pull is running")
				}
				return nil
			}
		})},
		{rule: "commit", name: "not again", prepare: brokers(func(f *fromBroker) {
			f.onCommit = func(f *fromBroker, position []byte) error {
				if bytes.Equal(position, f.last) {
					return errBroken
				}
				f.last = position
				return nil
			}
		})},
		{rule: "uncommitted records", name: "acknowledged by the pull", prepare: brokers(func(f *fromBroker) {
			f.onPull = func(f *fromBroker) { f.commit(f.read) }
		})},
	}
}
