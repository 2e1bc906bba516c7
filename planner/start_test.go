package planner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// node returns an outlet that notes in which order nodes are started and shut down.
type node struct {
	testkit.Sink
	log   *[]string
	mu    *sync.Mutex
	fails error
}

func (n *node) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*n.log = append(*n.log, what+" "+n.Name)
}

func (n *node) Start(context.Context) error {
	if n.fails != nil {
		return n.fails
	}
	n.note("start")
	return nil
}

func (n *node) Shutdown(context.Context) error {
	n.note("stop")
	return nil
}

// Links are started in order; one that cannot start undoes the others, in reverse.
func TestStartUndone(t *testing.T) {
	onBoth(t, func(b *bench) {
		var log []string
		var mu sync.Mutex
		var links []*link.Link
		var probes []*probe
		nodes := make([]*node, 4)
		for i := range nodes {
			name := fmt.Sprint(i)
			nodes[i] = &node{Sink: testkit.Sink{Name: name}, log: &log, mu: &mu}
			l, in := b.probe(name, time.Second, nil, func(c *link.Config) { c.Outlets = []outlet.Outlet{nodes[i]} })
			links, probes = append(links, l), append(probes, in)
		}
		nodes[2].fails = errors.New("no route")
		p := b.planner(planner.Options{}, links...)
		err := p.Start(b.Context())
		require.ErrorIs(b, err, nodes[2].fails)
		var failure *link.Error
		require.ErrorAs(b, err, &failure)
		assert.Equal(b, "2", failure.Link)
		assert.Equal(b, link.OpStart, failure.Op)
		assert.Equal(b, []string{"start 0", "start 1", "stop 1", "stop 0"}, log)
		assert.False(b, p.Running())
		b.sleep(3 * time.Second)
		assert.Empty(b, probes[0].all(), "nothing starts half")

		log, nodes[2].fails = nil, nil
		require.NoError(b, p.Start(b.Context()), "it may be started again")
		require.ErrorIs(b, p.Start(b.Context()), planner.ErrRunning)
		require.ErrorIs(b, p.Run(b.Context()), planner.ErrRunning)
		assert.Equal(b, []string{"start 0", "start 1", "start 2", "start 3"}, log)
		b.sleep(time.Second)
		for _, in := range probes {
			assert.Len(b, in.all(), 2)
		}
		b.shut(p)
		assert.Len(b, log, 8)
	})
}

// The context of Start ends only the starting.
func TestStartContext(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, in := b.probe("one", time.Second, nil, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnStart: testkit.Slow(3 * time.Second)}}
		})
		p := b.planner(planner.Options{}, l)
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		require.ErrorIs(b, p.Start(ctx), context.DeadlineExceeded)
		ctx, cancel = context.WithTimeout(b.Context(), 4*time.Second)
		require.NoError(b, p.Start(ctx))
		cancel()
		b.sleep(2 * time.Second)
		assert.Len(b, in.all(), 3)
	})
}

// A schedule that hangs when it is asked first is named and left behind. When it returns,
// that does no harm to the schedule of a later Start.
func TestStartHungSchedule(t *testing.T) {
	for name, spoil := range map[string]func(s *badSchedule, hang func()){
		"bind": func(s *badSchedule, hang func()) {
			s.bind = func() schedule.Schedule { hang(); return s.Schedule }
		},
		"next": func(s *badSchedule, hang func()) {
			s.next = func(time.Time) (time.Time, bool) { hang(); return time.Time{}, false }
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				release := make(chan struct{})
				hang := sync.OnceFunc(func() { <-release })
				s := &badSchedule{Schedule: schedule.Every(time.Second)}
				spoil(s, func() {
					if time.Since(b.began) < time.Second {
						hang()
					}
				})
				first, firstIn := b.probe("first", time.Second, nil)
				hung, in := b.probe("hung", time.Second, nil, scheduled(s))
				last, lastIn := b.probe("last", time.Second, nil)
				p := b.planner(planner.Options{}, first, hung, last)
				ctx, cancel := context.WithTimeout(b.Context(), half)
				defer cancel()
				err := p.Start(ctx)
				require.ErrorIs(b, err, context.DeadlineExceeded)
				var failure *link.Error
				require.ErrorAs(b, err, &failure)
				assert.Equal(b, "hung", failure.Link)
				assert.Equal(b, link.OpSchedule, failure.Op)
				require.False(b, p.Running())

				require.NoError(b, p.Start(b.Context()), "the schedule does not hang again")
				close(release)
				b.sleep(2*time.Second + half/2)
				for _, in := range []*probe{firstIn, in, lastIn} {
					assert.Len(b, in.all(), 3)
				}
				b.shut(p)
			})
		})
	}
}

// Start does not wait for first transfers.
func TestStartDoesNotWait(t *testing.T) {
	onBoth(t, func(b *bench) {
		l, _ := b.probe("slow", time.Hour, takes(time.Minute))
		b.running(planner.Options{}, l)
		assert.Zero(b, time.Since(b.began))
	})
}

// A trigger that does not start undoes everything too.
type brokenTrigger struct {
	manual
	add, start error
}

func (t *brokenTrigger) Add(id string, s schedule.Schedule, after time.Time) error {
	if t.add != nil {
		return t.add
	}
	return t.manual.Add(id, s, after)
}

func (t *brokenTrigger) Start(emit func(planner.Tick)) error {
	if t.start != nil {
		return t.start
	}
	return t.manual.Start(emit)
}

func TestTriggerFails(t *testing.T) {
	t.Parallel()
	trigger := new(brokenTrigger)
	inBubble(t, func() planner.Trigger { return trigger }, func(b *bench) {
		out := &testkit.FaultyOutlet{Outlet: outlet.Discard()}
		l, in := b.probe("one", time.Second, nil, func(c *link.Config) { c.Outlets = []outlet.Outlet{out} })
		p := b.planner(planner.Options{}, l)
		broken := errors.New("no timer")
		trigger.add = broken
		require.ErrorIs(b, p.Start(b.Context()), broken)
		trigger.add, trigger.start = nil, broken
		require.ErrorIs(b, p.Start(b.Context()), broken)
		assert.False(b, p.Running())
		assert.Empty(b, trigger.ids)
		assert.Equal(b, 2, out.Starts())
		assert.Equal(b, 2, out.Shutdowns())
		trigger.start = nil
		require.NoError(b, p.Start(b.Context()))
		b.sleep(0)
		assert.Len(b, in.all(), 1)

		other, _ := b.probe("other", time.Second, nil, func(c *link.Config) { c.Outlets = []outlet.Outlet{out} })
		trigger.add = broken
		require.ErrorIs(b, p.Add(b.Context(), other), broken)
		assert.Equal(b, []*link.Link{l}, p.Links())
		assert.Equal(b, 2, out.Shutdowns(), "a node that another link uses stays up")
	})
}

// Links share nodes that keep nothing: each is started once and shut down once.
func TestSharedNodes(t *testing.T) {
	onBoth(t, func(b *bench) {
		shared := &testkit.FaultyOutlet{Outlet: new(testkit.Sink)}
		var links []*link.Link
		for i := range 3 {
			l, _ := b.probe(fmt.Sprint(i), time.Second, nil, func(c *link.Config) { c.Outlets = []outlet.Outlet{shared} })
			links = append(links, l)
		}
		p := b.running(planner.Options{}, links...)
		b.sleep(2 * time.Second)
		require.NoError(b, p.Remove(b.Context(), links[0]))
		assert.Equal(b, 1, shared.Starts())
		assert.Zero(b, shared.Shutdowns())
		b.shut(p)
		assert.Equal(b, 1, shared.Shutdowns())
	})
}

func TestNewMistakes(t *testing.T) {
	t.Parallel()
	b := &bench{T: t}
	var nilTicker *brokenTrigger
	held := buffer.New(&buffer.Options{Count: 10})
	holds := func(c *link.Config) { c.Processors = []record.Processor{held} }
	unscheduled := scheduled(nil)
	taken := b.link("taken", time.Second)
	other, err := planner.New(nil, taken)
	require.NoError(t, err)
	defer func() { _, _ = other.Shutdown(context.Background()) }()
	one := b.link("one", time.Second)
	tests := []struct {
		name  string
		opts  *planner.Options
		links []*link.Link
		want  []string
		is    error
	}{
		{"concurrency", &planner.Options{Concurrency: -2}, nil, []string{"Options.Concurrency is -2"}, nil},
		{"timeout", &planner.Options{ShutdownTimeout: -time.Second}, nil, []string{"Options.ShutdownTimeout is -1s"}, nil},
		{"nil trigger", &planner.Options{Trigger: nilTicker}, nil, []string{"Options.Trigger is a nil"}, nil},
		{"resolution", &planner.Options{Trigger: planner.NewTicker(&planner.TickerOptions{Resolution: -1})}, nil, []string{"Resolution is -1ns"}, nil},
		{"nil link", nil, []*link.Link{one, nil}, []string{"link 1 of 2 is nil"}, nil},
		{"no schedule", nil, []*link.Link{b.link("idle", time.Second, unscheduled)}, []string{`link "idle": Config.Schedule is nil`}, nil},
		{"twice", nil, []*link.Link{one, one}, []string{`link "one" is given twice`}, planner.ErrDuplicateLink},
		{"same name", nil, []*link.Link{one, b.link("one", time.Second)}, []string{`two links have the name "one"`}, planner.ErrDuplicateLink},
		{"of another planner", nil, []*link.Link{taken}, []string{`"taken" belongs to a planner`}, nil},
		{"node with a state", nil, []*link.Link{b.link("a", time.Second, holds), b.link("b", time.Second, holds)}, []string{`"a"`, `"b"`}, link.ErrDuplicateNode},
		{
			"all at once", &planner.Options{Concurrency: -5, ShutdownTimeout: -5},
			[]*link.Link{nil, one, one, taken, b.link("idle", time.Second, unscheduled)},
			[]string{"Concurrency is -5", "ShutdownTimeout is -5", "link 0 of 5 is nil", `"one" is given twice`, `"taken"`, `"idle"`},
			planner.ErrDuplicateLink,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := planner.New(test.opts, test.links...)
			require.Error(t, err)
			assert.Nil(t, p)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			p, err = planner.New(nil, one)
			require.NoError(t, err, "links are left as they were")
			_, _ = p.Shutdown(context.Background())
		})
	}
}

func TestAddMistakes(t *testing.T) {
	onBoth(t, func(b *bench) {
		one := b.link("one", time.Second)
		for _, start := range []bool{false, true} {
			p, err := planner.New(&planner.Options{SkipImmediate: true}, one)
			require.NoError(b, err)
			if start {
				require.NoError(b, p.Start(b.Context()))
			}
			free := b.link("free", time.Second)
			err = p.Add(b.Context(), free, nil, one, b.link("one", time.Second), b.link("idle", time.Second, scheduled(nil)))
			require.ErrorIs(b, err, planner.ErrDuplicateLink)
			for _, want := range []string{"link 1 of 5 is nil", `"one" is given twice`, `two links have the name "one"`, `"idle"`} {
				assert.ErrorContains(b, err, want)
			}
			assert.Equal(b, []*link.Link{one}, p.Links())
			require.NoError(b, p.Add(b.Context()), "no link is no mistake")
			require.NoError(b, p.Add(b.Context(), free))
			_, err = p.Shutdown(b.Context())
			require.NoError(b, err)
		}
	})
}

func TestResolution(t *testing.T) {
	t.Parallel()
	inBubble(t, func() planner.Trigger { return planner.NewTicker(&planner.TickerOptions{Resolution: time.Second}) }, func(b *bench) {
		fast := b.link("fast", time.Second-1)
		bad := []*link.Link{fast, b.link("broken", time.Hour, scheduled(atFunc(func(time.Time) time.Time { panic("boom") })))}
		refused := func(err error) {
			b.Helper()
			require.ErrorContains(b, err, `the schedule for "fast" has a step of 999.999999ms, want no less than TickerOptions.Resolution, 1s`)
			require.ErrorContains(b, err, `link "broken": Config.Schedule: panic: boom`)
		}
		_, err := planner.New(&planner.Options{Trigger: b.trigger, Concurrency: -2}, append(bad, nil)...)
		refused(err)
		require.ErrorContains(b, err, "Concurrency is -2", "all at once")
		require.ErrorContains(b, err, "link 2 of 3 is nil")

		p := b.planner(planner.Options{}, b.link("slow", time.Second))
		refused(p.Add(b.Context(), bad...))
		require.NoError(b, p.Start(b.Context()))
		refused(p.Add(b.Context(), bad...))
		require.NoError(b, p.Add(b.Context(), b.link("once", time.Hour, scheduled(b.instants(time.Millisecond)))))
		require.Len(b, p.Links(), 2)

		trigger := planner.NewTicker(&planner.TickerOptions{Resolution: time.Second})
		require.ErrorContains(b, trigger.Add("x", schedule.Every(time.Millisecond), b.began), "has a step of 1ms")
	})
}

func TestEmptyPlanner(t *testing.T) {
	onBoth(t, func(b *bench) {
		p := b.running(planner.Options{})
		b.sleep(time.Hour)
		assert.True(b, p.Running())
		reports, err := p.Force(b.Context())
		require.NoError(b, err)
		assert.Empty(b, reports)
		require.NoError(b, p.Purge(b.Context()))
		b.shut(p)
	})
}

// The first transfers of many links are made at once, whatever one of them does.
func TestInletsOfManyLinks(t *testing.T) {
	onBoth(t, func(b *bench) {
		var sinks [20]testkit.Sink
		var links []*link.Link
		for i := range sinks {
			links = append(links, b.link(fmt.Sprint(i), time.Second, func(c *link.Config) {
				c.Inlets = []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { return i, nil })}
				c.Outlets = []outlet.Outlet{&sinks[i]}
			}))
		}
		p := b.running(planner.Options{Concurrency: 4}, links...)
		b.sleep(10 * time.Second)
		report := b.shut(p)
		require.Len(b, report.Links, len(links))
		for i := range sinks {
			assert.Equal(b, 11, sinks[i].Len())
			assert.Equal(b, fmt.Sprint(i), report.Links[i].Link, "in the order of the links")
		}
	})
}
