package planner_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/planner/gocronplanner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// triggers are those that every test of the suite runs on.
var triggers = map[string]func() planner.Trigger{
	"ticker": func() planner.Trigger { return planner.NewTicker(nil) },
	"gocron": func() planner.Trigger {
		return gocronplanner.NewTrigger(gocron.WithLogger(gocron.NewLogger(gocron.LogLevelError)))
	},
}

func TestTriggersConform(t *testing.T) {
	for name, trigger := range triggers {
		t.Run(name, func(t *testing.T) {
			testkit.TestTrigger(t, func(*testing.T) planner.Trigger { return trigger() })
		})
	}
}

// bench is one test in a bubble, on one trigger.
type bench struct {
	*testing.T
	began   time.Time
	trigger planner.Trigger
	log     *logs
}

// onBoth runs a test on both triggers, in a bubble.
func onBoth(t *testing.T, f func(b *bench)) {
	t.Helper()
	for name, trigger := range triggers {
		t.Run(name, func(t *testing.T) { inBubble(t, trigger, f) })
	}
}

func inBubble(t *testing.T, trigger func() planner.Trigger, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(&bench{T: t, began: time.Now(), trigger: trigger(), log: new(logs)})
	})
}

// planner returns a planner that is shut down at the end of the test.
func (b *bench) planner(opts planner.Options, links ...*link.Link) *planner.Planner {
	b.Helper()
	opts.Trigger = b.trigger
	if opts.Logger == nil {
		opts.Logger = slog.New(b.log)
	}
	p, err := planner.New(&opts, links...)
	require.NoError(b, err)
	b.Cleanup(func() { _, _ = p.Shutdown(context.Background()) })
	return p
}

// running returns a planner that is started.
func (b *bench) running(opts planner.Options, links ...*link.Link) *planner.Planner {
	b.Helper()
	p := b.planner(opts, links...)
	require.NoError(b, p.Start(b.Context()))
	return p
}

// sleep lets time pass, and everything happen that is due until then.
func (b *bench) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// since returns how long after the beginning t is.
func (b *bench) since(t time.Time) time.Duration { return t.Sub(b.began) }

func (b *bench) ledger(p *planner.Planner, l *link.Link) planner.Ledger {
	b.Helper()
	ledger, err := p.Ledger(l)
	require.NoError(b, err)
	sum := ledger.Ran + ledger.Failed + ledger.Blocked + ledger.Coalesced + ledger.Skipped +
		ledger.Paused + ledger.Missed + ledger.Interrupted + ledger.Cancelled + ledger.Open
	assert.Equal(b, ledger.Instants, sum, "every instant has one outcome: %v", ledger)
	return ledger
}

// shut shuts p down and wants no error.
func (b *bench) shut(p *planner.Planner) planner.Report {
	b.Helper()
	report, err := p.Shutdown(b.Context())
	require.NoError(b, err)
	return report
}

// pull is one call of a probe.
type pull struct {
	at     time.Duration // since the bubble began
	due    time.Duration
	reason record.Reason
}

// probe is an inlet that notes its pulls, and may do something in them. It returns
// one record.
type probe struct {
	name  string
	began time.Time
	do    func(ctx context.Context) error

	mu    sync.Mutex
	pulls []pull
	on    int // calls at this moment
	most  int
}

func (p *probe) String() string { return p.name }

func (p *probe) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	p.mu.Lock()
	p.pulls = append(p.pulls, pull{time.Since(p.began), u.Due.Sub(p.began), u.Reason})
	p.on++
	p.most = max(p.most, p.on)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.on--
	}()
	if p.do != nil {
		if err := p.do(ctx); err != nil {
			return nil, err
		}
	}
	return []record.Record{record.New(u.Number)}, nil
}

func (p *probe) all() []pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pulls)
}

// overlap returns how many pulls were made at the same time, at most.
func (p *probe) overlap() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// dues returns the dues of the pulls that were made for a reason.
func (p *probe) dues(reason record.Reason) (dues []time.Duration) {
	for _, one := range p.all() {
		if one.reason == reason {
			dues = append(dues, one.due)
		}
	}
	return dues
}

// probe returns a link named so that pulls every interval, and the probe it pulls
// from. Changes are made to its configuration.
func (b *bench) probe(name string, every time.Duration, do func(context.Context) error, changes ...func(*link.Config)) (*link.Link, *probe) {
	b.Helper()
	in := &probe{name: name + " inlet", began: b.began, do: do}
	return b.link(name, every, append([]func(*link.Config){func(c *link.Config) { c.Inlets = []inlet.Inlet{in} }}, changes...)...), in
}

func (b *bench) link(name string, every time.Duration, changes ...func(*link.Config)) *link.Link {
	b.Helper()
	c := link.Config{
		Name:     name,
		Inlets:   []inlet.Inlet{inlet.Values(1)},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(every),
	}
	for _, change := range changes {
		change(&c)
	}
	l, err := link.New(c)
	require.NoError(b, err)
	return l
}

func skipImmediate(c *link.Config) { c.SkipImmediate = true }

// takes returns what an inlet does that takes d, and heeds its context.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hangs returns what an inlet does that does not come back before the test ends.
func (b *bench) hangs() func(context.Context) error {
	release := make(chan struct{})
	b.Cleanup(func() { close(release) })
	return func(context.Context) error {
		<-release
		return nil
	}
}

func grid(from, to, step time.Duration) (all []time.Duration) {
	for at := from; at <= to; at += step {
		all = append(all, at)
	}
	return all
}

// logs is a slog.Handler that keeps everything.
type logs struct {
	mu  sync.Mutex
	all []string
}

func (*logs) Enabled(context.Context, slog.Level) bool { return true }
func (l *logs) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l *logs) WithGroup(string) slog.Handler          { return l }

func (l *logs) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
	return nil
}

func (l *logs) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// manual is a trigger that emits when a test says so.
type manual struct {
	mu   sync.Mutex
	emit func(planner.Tick)
	ids  map[string]schedule.Schedule
}

func (m *manual) Add(id string, s schedule.Schedule, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids == nil {
		m.ids = make(map[string]schedule.Schedule)
	}
	m.ids[id] = s
	return nil
}

func (m *manual) Remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ids, id)
}

func (m *manual) Start(emit func(planner.Tick)) error {
	m.emit = emit
	return nil
}

func (*manual) Stop() {}

// atFunc is a function as a schedule.
type atFunc func(after time.Time) time.Time

func (f atFunc) Next(after time.Time) time.Time { return f(after) }

// instants is a schedule of single instants, counted from the beginning.
func (b *bench) instants(at ...time.Duration) schedule.Schedule {
	return atFunc(func(after time.Time) time.Time {
		for _, d := range at {
			if t := b.began.Add(d); t.After(after) {
				return t
			}
		}
		return time.Time{}
	})
}

func scheduled(s schedule.Schedule) func(*link.Config) {
	return func(c *link.Config) { c.Schedule = s }
}

// untried returns a lane that offers once a transfer.
func untried(out outlet.Outlet) []link.Lane {
	return []link.Lane{{Outlet: out, Retry: link.Retry{Tries: 1}}}
}
