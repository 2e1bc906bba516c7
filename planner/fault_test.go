package planner_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// Nodes that panic or end their goroutine harm neither the pool nor other links.
func TestFaultyNodes(t *testing.T) {
	faults := map[string]testkit.Fault{"panics": testkit.Panic("boom"), "exits": testkit.Exit()}
	places := map[string]func(testkit.Fault) func(*link.Config){
		"inlet": func(f testkit.Fault) func(*link.Config) {
			return func(c *link.Config) {
				c.Inlets = []inlet.Inlet{&testkit.FaultyInlet{Inlet: inlet.Values(1), OnPull: f}}
			}
		},
		"processor": func(f testkit.Fault) func(*link.Config) {
			return func(c *link.Config) { c.Processors = []record.Processor{&testkit.FaultyProcessor{OnProcess: f}} }
		},
		"outlet": func(f testkit.Fault) func(*link.Config) {
			return func(c *link.Config) {
				c.Inlets = []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { return 1, nil })}
				c.Lanes, c.Outlets = untried(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: f}), nil
			}
		},
	}
	for place, config := range places {
		for name, fault := range faults {
			t.Run(place+" "+name, func(t *testing.T) {
				onBoth(t, func(b *bench) {
					bad := b.link("bad", time.Second, config(fault))
					good, in := b.probe("good", time.Second, nil)
					var errs atomic.Int64
					p := b.running(planner.Options{Concurrency: 1, OnError: func(_ context.Context, err *link.Error) error {
						var caught *link.PanicError
						assert.ErrorAs(b, err, &caught)
						assert.Equal(b, "bad", err.Link)
						errs.Add(1)
						return nil
					}}, bad, good)
					b.sleep(10 * time.Second)
					assert.Len(b, in.all(), 11)
					assert.GreaterOrEqual(b, errs.Load(), int64(11))
					ledger := b.ledger(p, bad)
					assert.EqualValues(b, 10, ledger.Instants)
					assert.EqualValues(b, 10, ledger.Failed+ledger.Blocked)
					reports, err := p.Force(b.Context(), bad)
					require.Len(b, reports, 1)
					if name == "panics" {
						require.NoError(b, err, "it is settled")
						assert.NotEqual(b, link.Ran, reports[0].Outcome)
					}
					_, _ = p.Shutdown(b.Context())
				})
			})
		}
	}
}

// badSchedule fails in one of its methods from an instant on.
type badSchedule struct {
	schedule.Schedule
	began time.Time
	bind  func() schedule.Schedule
	next  func(after time.Time) (time.Time, bool)
	count func() int
}

func (s *badSchedule) Bind(string, time.Time) schedule.Schedule {
	if s.bind != nil {
		return s.bind()
	}
	return s
}

func (s *badSchedule) Next(after time.Time) time.Time {
	if s.next != nil {
		if at, bad := s.next(after); bad {
			return at
		}
	}
	return s.Schedule.Next(after)
}

func (s *badSchedule) Count(from, to time.Time) int {
	if s.count != nil {
		return s.count()
	}
	return s.Schedule.(schedule.Counter).Count(from, to)
}

func (*badSchedule) String() string { return "bad schedule" }

// A schedule that fails ends, in whatever goroutine it is asked; its link and the
// others go on.
func TestFaultySchedules(t *testing.T) {
	from := func(b *bench, at time.Duration, f func(after time.Time) time.Time) func(time.Time) (time.Time, bool) {
		return func(after time.Time) (time.Time, bool) {
			if after.Sub(b.began) >= at {
				return f(after), true
			}
			return time.Time{}, false
		}
	}
	tests := []struct {
		name  string
		spoil func(b *bench, s *badSchedule)
		ticks int64
		want  string
	}{
		{"next panics", func(b *bench, s *badSchedule) {
			s.next = from(b, 3*time.Second, func(time.Time) time.Time { panic("no idea") })
		}, 3, "no idea"},
		{"next exits", func(b *bench, s *badSchedule) {
			s.next = from(b, 3*time.Second, func(time.Time) time.Time { runtime.Goexit(); return time.Time{} })
		}, 3, "runtime.Goexit"},
		{"next does not go on", func(b *bench, s *badSchedule) {
			s.next = from(b, 3*time.Second, func(after time.Time) time.Time { return after })
		}, 3, "want an instant after it"},
		{"next panics at once", func(b *bench, s *badSchedule) {
			s.next = from(b, 0, func(time.Time) time.Time { panic("no idea") })
		}, 0, "no idea"},
		{"next exits at once", func(b *bench, s *badSchedule) {
			s.next = from(b, 0, func(time.Time) time.Time { runtime.Goexit(); return time.Time{} })
		}, 0, "runtime.Goexit"},
		{"bind exits", func(_ *bench, s *badSchedule) {
			s.bind = func() schedule.Schedule { runtime.Goexit(); return nil }
		}, 0, "runtime.Goexit"},
		{"bind panics", func(_ *bench, s *badSchedule) {
			s.bind = func() schedule.Schedule { panic("no anchor") }
		}, 0, "no anchor"},
		{"bind returns nil", func(_ *bench, s *badSchedule) {
			s.bind = func() schedule.Schedule { return nil }
		}, 0, "returned nil"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				bound := schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
				s := &badSchedule{Schedule: bound, began: b.began}
				test.spoil(b, s)
				bad, in := b.probe("bad", time.Second, nil, scheduled(s))
				good, goodIn := b.probe("good", time.Second, nil)
				var failures []*link.Error
				p := b.running(planner.Options{OnError: func(_ context.Context, err *link.Error) error {
					failures = append(failures, err)
					return nil
				}}, bad, good)
				b.sleep(6 * time.Second)
				assert.Len(b, goodIn.all(), 7)
				assert.Len(b, in.dues(record.Immediate), 1)
				require.Len(b, failures, 1, "it is said once")
				assert.Equal(b, link.OpSchedule, failures[0].Op)
				assert.Equal(b, "bad", failures[0].Link)
				assert.Equal(b, "bad schedule", failures[0].Node)
				assert.ErrorContains(b, failures[0], test.want)
				assert.Equal(b, planner.Ledger{Instants: test.ticks, Ran: test.ticks, Immediate: 1}, b.ledger(p, bad))
				_, err := p.Force(b.Context(), bad)
				require.NoError(b, err, "the link itself is well")
				b.shut(p)
			})
		})
	}
}

func TestFaultyScheduleStops(t *testing.T) {
	onBoth(t, func(b *bench) {
		s := &badSchedule{Schedule: schedule.Every(time.Second), next: func(after time.Time) (time.Time, bool) {
			if after.Sub(b.began) >= 2*time.Second {
				panic("no idea")
			}
			return time.Time{}, false
		}}
		l, _ := b.probe("bad", time.Second, nil, scheduled(s))
		err := b.planner(planner.Options{}, l).Run(b.Context())
		var failure *link.Error
		require.ErrorAs(b, err, &failure, "by default a failed schedule stops the planner")
		assert.Equal(b, link.OpSchedule, failure.Op)
		assert.Equal(b, 2*time.Second, time.Since(b.began))
	})
}

func TestFaultyCount(t *testing.T) {
	t.Parallel()
	for name, count := range map[string]func() int{
		"panics": func() int { panic("cannot count") },
		"exits":  func() int { runtime.Goexit(); return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			m := new(manual)
			inBubble(t, func() planner.Trigger { return m }, func(b *bench) {
				bound := schedule.Every(time.Second).(schedule.Binder).Bind("", b.began)
				l, in := b.probe("bad", time.Second, nil, skipImmediate, scheduled(&badSchedule{Schedule: bound, count: count}))
				var failures atomic.Int64
				p := b.running(planner.Options{OnError: func(context.Context, *link.Error) error {
					failures.Add(1)
					return nil
				}}, l)
				b.sleep(5 * time.Second)
				go m.emit(planner.Tick{ID: "bad", Due: b.began.Add(time.Second)})
				b.sleep(time.Second)
				assert.Len(b, in.all(), 1, "what is due is made")
				assert.EqualValues(b, 1, failures.Load())
				b.ledger(p, l)
			})
		})
	}
}

// Callbacks are user code like any other.
func TestFaultyOnReport(t *testing.T) {
	for name, fault := range map[string]func(){"panics": func() { panic("boom") }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				l, in := b.probe("one", time.Second, nil)
				var reports, failures atomic.Int64
				p := b.running(planner.Options{
					Concurrency: 1,
					OnReport: func(_ context.Context, r link.Report) {
						reports.Add(1)
						if r.Number < 3 {
							fault()
						}
					},
					OnError: func(_ context.Context, err *link.Error) error {
						assert.Equal(b, link.OpReport, err.Op)
						assert.Equal(b, "OnReport", err.Node)
						failures.Add(1)
						return nil
					},
				}, l)
				b.sleep(9 * time.Second)
				assert.Len(b, in.all(), 10)
				assert.EqualValues(b, 10, reports.Load())
				assert.EqualValues(b, 3, failures.Load())
				b.shut(p)
			})
		})
	}
}

func TestFaultyOnError(t *testing.T) {
	for name, fault := range map[string]func(){"panics": func() { panic("boom") }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				broken := errors.New("broken")
				l, in := b.probe("one", time.Second, func(context.Context) error { return broken })
				p := b.planner(planner.Options{OnError: func(context.Context, *link.Error) error {
					fault()
					return nil
				}}, l)
				err := p.Run(b.Context())
				require.ErrorIs(b, err, broken, "a handler that cannot decide stops the planner")
				var caught *link.PanicError
				require.ErrorAs(b, err, &caught)
				assert.ErrorContains(b, err, "OnError")
				assert.Len(b, in.all(), 1)
			})
		})
	}
}

// A handler that hangs is left behind like a node.
func TestHangingHandlers(t *testing.T) {
	onBoth(t, func(b *bench) {
		hangs := b.hangs()
		l, _ := b.probe("one", time.Second, nil)
		p := b.running(planner.Options{
			ShutdownTimeout: 2 * time.Second,
			OnReport:        func(ctx context.Context, _ link.Report) { _ = hangs(ctx) },
		}, l)
		b.sleep(3 * time.Second)
		_, err := p.Shutdown(b.Context())
		require.ErrorContains(b, err, "OnReport")
		assert.LessOrEqual(b, time.Since(b.began), 6*time.Second)
	})
}
