package link_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// faults are the ways in which a call of user code ends that does not return.
var faults = []struct {
	name  string
	fault func()
	text  string
	is    error
}{
	{"panic", func() { panic("hot") }, "panic: hot", nil},
	{"panic with an error", func() { panic(errDown) }, "panic: 503", errDown},
	{"panic with nil", func() { panic(nil) }, "panic: panic called with nil argument", nil},
	{"runtime error", func() { _ = make([]int, 0)[len(os.Args[0])*0] }, "panic: runtime error: index out of range [0] with length 0", nil},
	{"Goexit", runtime.Goexit, "runtime.Goexit was called", nil},
}

// patient is a link of which one call, the first that is made when it is armed,
// does not return.
type patient struct {
	c     link.Config
	in    *tape
	out   *tank
	fault func()
	armed bool
}

func (p *patient) call() {
	if p.armed {
		p.armed = false
		p.fault()
	}
}

// fragile is a payload that copies itself.
type fragile struct {
	n     int
	clone func()
}

func (f *fragile) Clone() any {
	f.clone()
	return &fragile{f.n, f.clone}
}

// calls are the calls of user code that a link makes between Start and Shutdown,
// and the failure there is if one does not return.
var calls = []struct {
	name string
	rig  func(*patient)
	op   link.Op
	node string
	text string // before the cause
}{
	{"Pull", func(p *patient) {
		p.in.onPull = func(context.Context, record.Update) ([]record.Record, error) { p.call(); return nil, nil }
	}, link.OpPull, "in", ""},
	{"Pull of the second inlet", func(p *patient) {
		p.c.Inlets = append(p.c.Inlets, &pump{life: life{name: "second"}, onPull: func(context.Context, record.Update) ([]record.Record, error) { p.call(); return nil, nil }})
	}, link.OpPull, "second", ""},
	{"Position", func(p *patient) {
		p.c.Inlets = inlets(&lost{tape: p.in, position: p.call})
	}, link.OpPull, "in", "position: "},
	{"Process", func(p *patient) {
		p.c.Processors = append(p.c.Processors, &pipe{life: life{name: "p"}, onProcess: func(_ context.Context, r []record.Record) ([]record.Record, error) { p.call(); return r, nil }})
	}, link.OpProcess, "p", ""},
	{"Process of a lane", func(p *patient) {
		p.c.Lanes[0].Processors = append(p.c.Lanes[0].Processors, &pipe{life: life{name: "p"}, onProcess: func(_ context.Context, r []record.Record) ([]record.Record, error) { p.call(); return r, nil }})
	}, link.OpProcess, "p", ""},
	{"Holding", func(p *patient) {
		p.c.Processors = append(p.c.Processors, &hungHolder{pipe: pipe{life: life{name: "p"}}, holding: p.call})
	}, link.OpProcess, "p", "holding: "},
	{"Holding of a lane", func(p *patient) {
		p.c.Lanes[0].Processors = append(p.c.Lanes[0].Processors, &hungHolder{pipe: pipe{life: life{name: "p"}}, holding: p.call})
	}, link.OpProcess, "p", "holding: "},
	{"Group", func(p *patient) {
		p.c.Groupers = append(p.c.Groupers, &cutter{life: life{name: "g"}, onGroup: func(context.Context) error { p.call(); return nil }})
	}, link.OpGroup, "groupers", ""},
	{"Push", func(p *patient) {
		p.out.onPush = func(context.Context, []record.Record, record.Update) error { p.call(); return nil }
	}, link.OpPush, "out", ""},
	{"Push of another lane", func(p *patient) {
		p.c.Outlets = append(p.c.Outlets, &tank{life: life{name: "other"}, onPush: func(context.Context, []record.Record, record.Update) error { p.call(); return nil }})
	}, link.OpPush, "other", ""},
	{"Clone", func(p *patient) {
		p.c.Processors = append(p.c.Processors, record.Map(func(n int) (*fragile, error) { return &fragile{n, p.call}, nil }))
	}, link.OpPush, "out", ""},
	{"Put", func(p *patient) {
		p.c.State = &vault{put: func(_ int, do func() (int64, error)) (int64, error) { p.call(); return do() }}
	}, link.OpState, "link/patient", ""},
	{"Get", func(p *patient) {
		failed := false
		p.c.State = &vault{
			put: func(_ int, do func() (int64, error)) (int64, error) {
				if p.armed && !failed {
					failed = true
					return 0, errors.New("lost")
				}
				return do()
			},
			get: func(_ int, do func() ([]byte, int64, error)) ([]byte, int64, error) { p.call(); return do() },
		}
	}, link.OpState, "link/patient", ""},
	{"Commit", func(p *patient) {
		p.c.Inlets = append(p.c.Inlets, &hungBroker{broker: broker{feed: *feeding("b", list(), list(101), list(102))}, step: p.call})
	}, link.OpCommit, "b", ""},
	{"OnError", func(p *patient) {
		p.out.onPush = func(context.Context, []record.Record, record.Update) error {
			if p.armed {
				return errors.New("refused")
			}
			return nil
		}
		p.c.OnError = func(_ context.Context, err *link.Error) error { p.call(); return err }
	}, link.OpReport, "OnError", ""},
	{"OnError about a pull", func(p *patient) {
		p.c.Inlets = append(p.c.Inlets, &pump{onPull: func(context.Context, record.Update) ([]record.Record, error) {
			if p.armed {
				return nil, errors.New("refused")
			}
			return nil, nil
		}})
		p.c.OnError = func(_ context.Context, err *link.Error) error { p.call(); return err }
	}, link.OpReport, "OnError", ""},
	{"OnError about a processor", func(p *patient) {
		p.c.Processors = append(p.c.Processors, &pipe{onProcess: func(_ context.Context, r []record.Record) ([]record.Record, error) {
			if p.armed {
				return nil, errors.New("refused")
			}
			return r, nil
		}})
		p.c.OnError = func(_ context.Context, err *link.Error) error { p.call(); return err }
	}, link.OpReport, "OnError", ""},
	{"OnReport", func(p *patient) {
		p.c.OnReport = func(context.Context, link.Report) { p.call() }
	}, link.OpReport, "OnReport", ""},
}

// lost is a tape that may not know where it stands.
type lost struct {
	*tape
	position func()
}

func (l *lost) Position() []byte {
	l.position()
	return l.tape.Position()
}

// What does not return has failed like what returns an error: the link goes on, and
// nothing is lost.
func TestCallsThatDoNotReturn(t *testing.T) {
	t.Parallel()
	for _, call := range calls {
		for _, fault := range faults {
			t.Run(call.name+", "+fault.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := &patient{fault: fault.fault}
					p.in = &tape{pump: pump{life: life{name: "in"}}, values: values(1, 8), per: 2}
					p.out = &tank{life: life{name: "out"}}
					p.c = link.Config{Name: "patient", Inlets: inlets(p.in), Lanes: []link.Lane{{Outlet: p.out}}}
					call.rig(p)
					l, err := link.New(untried(p.c))
					require.NoError(t, err)
					h := new(host)
					require.NoError(t, l.Attach(h, nil))
					require.NoError(t, l.Start(t.Context()))
					for i := range 4 {
						p.armed = i == 1
						ended := make(chan struct{})
						go func() { // which a Goexit ends
							defer close(ended)
							l.Begin(link.Tick{Reason: record.Forced})
						}()
						<-ended
						synctest.Wait()
						assert.False(t, p.armed)
						assert.True(t, l.Ready(), "transfer %d", i)
						assert.Empty(t, l.Busy(), "transfer %d", i)
						assert.NoError(t, l.Account().Balance(), "transfer %d", i)
					}
					r, err := l.Shutdown(t.Context())
					require.NoError(t, err)
					assert.NoError(t, r.Balance())
					var content []any
					for _, v := range p.out.content() {
						if f, ok := v.(*fragile); ok {
							v = f.n
						}
						if v.(int) < 100 {
							content = append(content, v)
						}
					}
					want := values(1, 8)
					if len(content) < 8 { // nothing is pulled while something is stuck, or when the pull failed
						want = values(1, 6)
					}
					assert.Equal(t, want, content)

					require.Len(t, h.reports, 5, "every transfer has its report, and Shutdown")
					for i, r := range h.reports {
						assert.Equal(t, int64(i), r.Number)
						assert.NoError(t, r.Balance())
					}
					var found []*link.Error
					for _, e := range h.failed {
						if e.Op == call.op && e.Node == call.node {
							found = append(found, e)
						}
					}
					require.Len(t, found, 1, "%v", h.failed)
					e := found[0]
					assert.True(t, e.Fatal())
					assert.Contains(t, e.Error(), string(call.op)+" "+call.node+": "+call.text)
					assert.Contains(t, e.Err.Error(), fault.text)
					if fault.is != nil {
						require.ErrorIs(t, e, fault.is)
					}
					pe, ok := errors.AsType[*link.PanicError](e)
					require.True(t, ok)
					assert.Contains(t, string(pe.Stack), "panic_test.go")
					assert.Equal(t, fault.name == "Goexit", pe.Value == nil)
					if call.op == link.OpPush || call.op == link.OpProcess && call.text == "" || call.op == link.OpGroup {
						assert.True(t, e.Kept)
						assert.Positive(t, e.Records)
					}
				})
			})
		}
	}
}

// So it is with the calls that start and stop a link.
func TestLifecycleCallsThatDoNotReturn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		rig  func(*patient)
		op   link.Op
		node string
		stop bool // it is a call of Shutdown
	}{
		{"Start of an inlet", func(p *patient) { p.in.onStart = func(context.Context) error { p.call(); return nil } }, link.OpStart, "in", false},
		{"Start of an outlet", func(p *patient) { p.out.onStart = func(context.Context) error { p.call(); return nil } }, link.OpStart, "out", false},
		{"Seek", func(p *patient) { p.in.onSeek = func(context.Context) error { p.call(); return nil } }, link.OpSeek, "in", false},
		{"Get", func(p *patient) {
			p.c.State = &vault{get: func(_ int, do func() ([]byte, int64, error)) ([]byte, int64, error) { p.call(); return do() }}
		}, link.OpState, "link/patient", false},
		{"Shutdown of an inlet", func(p *patient) { p.in.onShutdown = func(context.Context) error { p.call(); return nil } }, link.OpShutdown, "in", true},
		{"Shutdown of an outlet", func(p *patient) { p.out.onShutdown = func(context.Context) error { p.call(); return nil } }, link.OpShutdown, "out", true},
		{"Flush", func(p *patient) {
			p.c.Processors = append(p.c.Processors, &hungHolder{pipe: pipe{life: life{name: "p"}}, flush: p.call})
		}, link.OpProcess, "p", true},
		{"Flush of a lane", func(p *patient) {
			p.c.Lanes[0].Processors = append(p.c.Lanes[0].Processors, &hungHolder{pipe: pipe{life: life{name: "p"}}, flush: p.call})
		}, link.OpProcess, "p", true},
		{"OnReport", func(p *patient) { p.c.OnReport = func(context.Context, link.Report) { p.call() } }, link.OpReport, "OnReport", true},
		{"OnError", func(p *patient) {
			p.in.onShutdown = func(context.Context) error {
				if p.armed {
					return errDown
				}
				return nil
			}
			p.c.OnError = func(_ context.Context, err *link.Error) error { p.call(); return err }
		}, link.OpReport, "OnError", true},
	}
	for _, tt := range tests {
		for _, fault := range faults {
			t.Run(tt.name+", "+fault.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := new(diary)
					p := &patient{fault: fault.fault}
					p.in = &tape{pump: pump{life: life{name: "in", diary: d}}, values: values(1, 8), per: 2}
					p.out = &tank{life: life{name: "out", diary: d}}
					p.c = link.Config{Name: "patient", Inlets: inlets(p.in), Lanes: []link.Lane{{Outlet: p.out}}}
					tt.rig(p)
					l, err := link.New(p.c)
					require.NoError(t, err)
					if tt.stop {
						require.NoError(t, l.Start(t.Context()))
						l.Transfer(t.Context(), link.Tick{})
						d.take()
						p.armed = true
						_, err = l.Shutdown(t.Context())
						assert.Contains(t, d.take(), "shutdown out")
						assert.Equal(t, list(1, 2), p.out.content())
					} else {
						p.armed = true
						err = l.Start(t.Context())
					}
					assert.False(t, p.armed)
					require.Contains(t, nodesOf(err, tt.op), tt.node, "%v", err)
					require.ErrorContains(t, err, fault.text)
					pe, ok := errors.AsType[*link.PanicError](err)
					require.True(t, ok)
					assert.Contains(t, string(pe.Stack), "panic_test.go")

					d.take()
					_, err = l.Once(t.Context())
					require.NoError(t, err)
					if !tt.stop {
						assert.Equal(t, list(1, 2), p.out.content())
					} else {
						assert.Equal(t, list(1, 2, 3, 4), p.out.content())
					}
				})
			})
		}
	}
}
