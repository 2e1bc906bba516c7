package link_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// rig is a link of which one call hangs. Its inlet yields 3 records.
type rig struct {
	trap  *trap
	diary *diary
	c     link.Config
}

// hangs are all calls of user code that can hang, in a link that is running.
var hangs = []struct {
	name string
	rig  func(*rig)

	node  string        // that the error names
	after time.Duration // the end of the time to shut down
	want  string        // the account if nothing can be pulled again
}{
	{
		name: "Pull",
		rig: func(r *rig) {
			hung := &pump{life: life{name: "hung"}, onPull: func(context.Context, record.Update) ([]record.Record, error) {
				r.trap.step()
				return of(4, 5), nil
			}}
			r.c.Inlets = append(r.c.Inlets, hung)
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 lost 3 balanced",
	},
	{
		name: "Process",
		rig: func(r *rig) {
			r.c.Processors = append(r.c.Processors, &pipe{}, &pipe{life: life{name: "hung"}, onProcess: func(_ context.Context, records []record.Record) ([]record.Record, error) {
				if r.trap.step() {
					return records[:1], nil
				}
				return records, nil
			}}, &pipe{life: life{name: "next", diary: r.diary}})
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 lost 3 balanced",
	},
	{
		name: "Process of a lane",
		rig: func(r *rig) {
			r.c.Lanes = append(r.c.Lanes, link.Lane{
				Outlet: &tank{life: life{name: "behind"}},
				Processors: []record.Processor{&pipe{life: life{name: "hung"}, onProcess: func(_ context.Context, records []record.Record) ([]record.Record, error) {
					if r.trap.step() {
						return records[:1], nil
					}
					return records, nil
				}}, &pipe{life: life{name: "next", diary: r.diary}}},
			})
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered behind=0 out=3 dropped 0 abandoned behind=3 out=0 lost behind=3 out=0 balanced",
	},
	{
		name: "Holding",
		rig: func(r *rig) {
			r.c.Processors = append(r.c.Processors, &hungHolder{pipe: pipe{life: life{name: "hung"}}, holding: func() { r.trap.step() }})
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 lost 3 balanced",
	},
	{
		name: "Flush",
		rig: func(r *rig) {
			r.c.Processors = append(r.c.Processors, &hungHolder{pipe: pipe{life: life{name: "hung"}}, flush: func() { r.trap.step() }})
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
	},
	{
		name: "Group",
		rig: func(r *rig) {
			r.c.Groupers = append(r.c.Groupers, &cutter{life: life{name: "hung"}, onGroup: func(context.Context) error {
				r.trap.step()
				return nil
			}})
		},
		node:  "groupers",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 lost 3 balanced",
	},
	{
		name: "Push",
		rig: func(r *rig) {
			r.c.Outlets = append(r.c.Outlets, &tank{life: life{name: "hung"}, onPush: func(context.Context, []record.Record, record.Update) error {
				r.trap.step()
				return nil
			}})
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered out=3 hung=0 dropped 0 abandoned out=0 hung=3 lost out=0 hung=3 balanced",
	},
	{
		name: "Put",
		rig: func(r *rig) {
			r.c.State = &vault{put: func(_ int, do func() (int64, error)) (int64, error) {
				r.trap.step()
				return do()
			}}
		},
		node:  "store",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
	},
	{
		name: "Commit",
		rig: func(r *rig) {
			r.c.Inlets = append(r.c.Inlets, &hungBroker{broker: broker{feed: *feeding("hung", list(4))}, step: func() { r.trap.step() }})
		},
		node:  "hung",
		after: 500 * time.Millisecond,
		want:  "pulled 4 filtered 0 held 0 pending 0 delivered 4 dropped 0 balanced",
	},
	{
		name: "OnError",
		rig: func(r *rig) {
			r.c.Outlets = append(r.c.Outlets, &tank{life: life{name: "bad"}, onPush: func(context.Context, []record.Record, record.Update) error {
				return errDown
			}})
			r.c.OnError = func(_ context.Context, err *link.Error) error {
				r.trap.step()
				return nil
			}
		},
		node:  "OnError",
		after: 500 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered out=3 bad=0 dropped 0 abandoned out=0 bad=3 lost out=0 bad=3 balanced",
	},
	{
		name: "OnReport",
		rig: func(r *rig) {
			r.c.OnReport = func(context.Context, link.Report) { r.trap.step() }
		},
		node:  "OnReport",
		after: 950 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
	},
	{
		name: "Shutdown of an inlet",
		rig: func(r *rig) {
			r.c.Inlets = append(r.c.Inlets, &pump{life: life{name: "hung", onShutdown: func(context.Context) error { r.trap.step(); return nil }}})
		},
		node:  "hung",
		after: 850 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
	},
	{
		name: "Shutdown of an outlet",
		rig: func(r *rig) {
			r.c.Outlets = append(r.c.Outlets, &tank{life: life{name: "hung", onShutdown: func(context.Context) error { r.trap.step(); return nil }}})
		},
		node:  "hung",
		after: 850 * time.Millisecond,
		want:  "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
	},
}

type hungHolder struct {
	pipe
	holding, flush func()
}

func (h *hungHolder) Holding() record.Holding {
	if h.holding != nil {
		h.holding()
	}
	return record.Holding{}
}

func (h *hungHolder) Flush() {
	if h.flush != nil {
		h.flush()
	}
}

type hungBroker struct {
	broker
	step func()
}

func (b *hungBroker) Commit(ctx context.Context, position []byte) error {
	b.step()
	return b.broker.Commit(ctx, position)
}

// again returns the account with nothing lost, as it is when all can be pulled
// again.
func again(account string) string {
	return regexp.MustCompile(` lost( \S+=\d+)+| lost \d+`).ReplaceAllString(account, "")
}

// Whatever hangs, Shutdown returns less than a second after its time and says who.
// Nothing that the call does later changes what was said, and until it returns the
// link does not start again.
func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range hangs {
		for _, resumable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, resumable %t", tt.name, resumable), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var handled, reported atomic.Int32
					d := new(diary)
					r := &rig{trap: newTrap(), diary: d}
					defer r.trap.release()
					yields := of(1, 2, 3)
					in := inlet.Inlet(&pump{life: life{name: "in", diary: d}, onPull: func(context.Context, record.Update) ([]record.Record, error) {
						out := yields
						yields = nil
						return out, nil
					}})
					if resumable {
						in = &tape{pump: pump{life: life{name: "in", diary: d}}, values: values(1, 3), per: 3}
					}
					out := &tank{life: life{name: "out", diary: d}}
					r.c = link.Config{
						Name:            "hanging",
						Inlets:          inlets(in),
						Outlets:         outlets(out),
						ShutdownTimeout: 5 * time.Second,
					}
					tt.rig(r)
					onError, onReport := r.c.OnError, r.c.OnReport
					r.c.OnError = func(ctx context.Context, err *link.Error) error {
						handled.Add(1)
						if onError != nil {
							return onError(ctx, err)
						}
						return err
					}
					r.c.OnReport = func(ctx context.Context, report link.Report) {
						reported.Add(1)
						if onReport != nil {
							onReport(ctx, report)
						}
					}
					l, err := link.New(r.c)
					require.NoError(t, err)
					require.NoError(t, l.Start(t.Context()))
					go l.Transfer(context.Background(), link.Tick{Reason: record.Forced})
					time.Sleep(time.Second)

					began := time.Now()
					report, err := l.Shutdown(t.Context())
					assert.Equal(t, 5*time.Second+tt.after, time.Since(began))
					require.Error(t, err)
					named := nodesOf(err, link.OpShutdown)
					assert.Equal(t, []string{tt.node}, named, "%v", err)
					assert.ErrorContains(t, err, "abandoned: it was still running")
					assert.Equal(t, link.Failed, report.Outcome)
					assert.NoError(t, report.Balance())
					account := l.Account()
					want := tt.want
					if resumable {
						want = again(want)
					}
					assert.Equal(t, want, account.String())
					assert.Contains(t, d.take(), "shutdown out")

					assert.Equal(t, []string{tt.node}, l.Busy())
					err = l.Start(t.Context())
					require.ErrorContains(t, err, "still running: "+tt.node)
					require.NotErrorIs(t, err, link.ErrRunning)
					assert.Empty(t, d.take())

					calls := [2]int32{handled.Load(), reported.Load()}
					r.trap.release()
					synctest.Wait()
					assert.Equal(t, account, l.Account(), "what the call does when it returns changes nothing")
					assert.Equal(t, calls, [2]int32{handled.Load(), reported.Load()}, "handlers are not called after a Shutdown")
					assert.Empty(t, l.Busy())
					assert.Empty(t, d.take())

					if tt.name == "OnError" {
						return // the outlet is still down
					}
					require.NoError(t, l.Start(t.Context()))
					_, err = l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
					require.NoError(t, err)
					_, err = l.Shutdown(t.Context())
					require.NoError(t, err)
					assert.NoError(t, l.Account().Balance())
					if resumable {
						assert.Subset(t, out.content(), values(1, 3), "what was abandoned is pulled again")
					}
				})
			})
		}
	}
}

// A transfer whose OnReport hangs ends for who waits for it when the link is stopped. It
// is no bubble, which would hide a data race.
func TestHangingOnReportAndWait(t *testing.T) {
	t.Parallel()
	opened := make(chan struct{})
	l, err := link.New(link.Config{
		Name: "l", ShutdownTimeout: time.Millisecond,
		Inlets:   inlets(&pump{life: life{name: "in"}, onPull: func(context.Context, record.Update) ([]record.Record, error) { return of(1), nil }}),
		Outlets:  outlets(&tank{life: life{name: "a"}}, &tank{life: life{name: "b"}}),
		OnReport: func(context.Context, link.Report) { <-opened },
	})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	waited := make(chan link.Report)
	go func() {
		r, _ := l.Begin(link.Tick{}).Wait(context.Background())
		waited <- r
	}()
	for !slices.Contains(l.Busy(), "OnReport") {
		time.Sleep(time.Millisecond)
	}
	_, err = l.Shutdown(t.Context())
	require.ErrorContains(t, err, "OnReport")
	r := <-waited
	assert.EqualValues(t, 1, r.Pulled)
	close(opened)
}
