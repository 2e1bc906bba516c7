package link_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// An optional lane that hangs holds back no transfer, no report, no commit and no
// error.
func TestOptionalLaneHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store vault
		hung := &taker{name: "hung", script: func(ctx context.Context, _ int, _ []record.Record) error { return obey(ctx) }}
		out := &taker{name: "out"}
		l := started(t, link.Config{
			Name: "l", State: &store, Inlets: inlets(counting("n", 2, 99)), MaxUncommitted: 3,
			Lanes: []link.Lane{{Outlet: hung, Optional: true, Pending: 5}, {Outlet: out}},
		})
		for range 8 {
			r := transferred(t, l)
			assert.Equal(t, link.Ran, r.Outcome)
			assert.True(t, l.Ready())
		}
		assert.Equal(t, values(1, 16), out.accepted())
		assert.Contains(t, store.puts[len(store.puts)-1], `"number":7`)
		lane := l.Account().Lanes[0]
		assert.Equal(t, int64(6), lane.Pending, "two are being offered; as many as may wait, and one transfer")
		assert.Equal(t, int64(10), lane.Dropped)
		assert.Equal(t, int64(10), lane.Overflowed)
		assert.Zero(t, l.LaneStats()[0].Transfers)
		r, err := shut(t, l)
		require.NoError(t, err)
		assert.Equal(t, int64(6), r.Lanes[0].Abandoned)
		assert.Equal(t, int64(6), r.Lanes[0].Lost, "nothing holds a commit back for them")
	})
}

// Failures of optional lanes are in the report, and are no errors.
func TestOptionalLaneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]error{"for now": errDown, "for good": errBad} {
			out, bad := &taker{name: "out"}, &taker{name: "bad", script: failing(99, answer)}
			h := &host{}
			l, err := link.New(untried(link.Config{Inlets: inlets(counting("n", 2, 99)), Lanes: []link.Lane{{Outlet: bad, Optional: true}, {Outlet: out}}}))
			require.NoError(t, err)
			require.NoError(t, l.Attach(h, nil))
			require.NoError(t, l.Start(t.Context()))
			transferred(t, l)
			synctest.Wait()
			transferred(t, l)
			synctest.Wait()
			require.Len(t, h.failed, 2, name)
			assert.True(t, h.failed[0].Optional)
			assert.False(t, h.failed[0].Fatal())
			_, err = l.Shutdown(t.Context())
			require.NoError(t, err)
			told := 0 // a report does not wait for an optional lane: the next one may tell
			for _, r := range h.reports {
				if r.Err != nil {
					told++
				}
			}
			assert.Positive(t, told, name)
			assert.Equal(t, int64(4), l.Account().Lanes[0].Lost)
		}
	})
}

// So are those of its processors.
func TestProcessorOfOptionalLaneFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(n int) (int, error){
		"an error": func(int) (int, error) { return 0, errDown },
		"a panic":  func(int) (int, error) { panic("boom") },
	} {
		synctest.Test(t, func(t *testing.T) {
			var failed []*link.Error
			out := &taker{name: "out"}
			l := started(t, link.Config{
				Inlets:  inlets(counting("n", 2, 99)),
				Lanes:   []link.Lane{{Outlet: &taker{name: "bad"}, Optional: true, Processors: []record.Processor{record.Map(fail)}}, {Outlet: out}},
				OnError: func(_ context.Context, err *link.Error) error { failed = append(failed, err); return err },
			})
			for range 3 {
				transferred(t, l)
				synctest.Wait()
			}
			require.NotEmpty(t, failed, name)
			for _, err := range failed {
				assert.Equal(t, link.OpProcess, err.Op)
				assert.True(t, err.Optional, name)
				assert.False(t, err.Fatal(), name)
			}
			assert.Equal(t, values(1, 6), out.accepted())
		})
	}
}

// With no required lane a transfer is settled, and committed, when it is handed over.
func TestOnlyOptionalLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store vault
		a, b := &taker{name: "a", script: slow(time.Minute)}, &taker{name: "b", script: slow(time.Hour)}
		l := started(t, link.Config{
			Name: "l", State: &store, Inlets: inlets(counting("n", 1, 99)),
			Lanes: []link.Lane{{Outlet: a, Optional: true}, {Outlet: b, Optional: true}},
		})
		assert.True(t, l.Ready())
		start := time.Now()
		transferred(t, l)
		assert.Zero(t, time.Since(start))
		assert.Len(t, store.puts, 1)
		synctest.Wait()
		assert.False(t, l.Ready(), "all lanes are busy")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.True(t, l.Ready(), "one is idle")
		transferred(t, l)
		time.Sleep(2 * time.Hour)
		assert.Equal(t, list(1, 2), a.accepted())
		assert.Equal(t, list(1, 2), b.accepted())
	})
}

// An optional lane does not hang a link's goroutine: the first required one is served
// there.
func TestOptionalLaneIsServedAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slowly := &taker{name: "slowly", script: slow(time.Minute)}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 99)), Lanes: []link.Lane{{Outlet: slowly, Optional: true}, {Outlet: &taker{name: "out"}}}})
		start := time.Now()
		l.Begin(link.Tick{})
		assert.Zero(t, time.Since(start))
		synctest.Wait()
		assert.Len(t, slowly.all(), 1)
		time.Sleep(time.Minute)
	})
}

// Holders of an optional lane hold back nothing either.
func TestOptionalLaneHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store vault
		out, held := &taker{name: "out"}, &taker{name: "held"}
		l := started(t, link.Config{
			Name: "l", State: &store, Inlets: inlets(counting("n", 1, 99)),
			Lanes: []link.Lane{{Outlet: held, Optional: true, Processors: []record.Processor{&keeper{name: "k", size: 3}}}, {Outlet: out}},
		})
		for n := range 3 {
			transferred(t, l)
			synctest.Wait()
			assert.Len(t, store.puts, n+1)
		}
		assert.Equal(t, lists(list(1, 2, 3)), held.got())
	})
}

func TestOnFull(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		onFull  link.OnFull
		hung    bool // else it refuses
		dead    func(context.Context, int, []record.Record) error
		lane    link.LaneAccount
		letters []string
		blocked int
		offered []any // when it accepts again
	}{
		"block": {
			onFull: link.Block, blocked: 3, offered: values(1, 6),
			lane: link.LaneAccount{Offered: 6, Pending: 6},
		},
		"drop": {
			onFull: link.DropOldest, offered: values(6, 12),
			lane: link.LaneAccount{Offered: 12, Pending: 7, Dropped: 5, Overflowed: 5},
		},
		"drop beside a call": {
			onFull: link.DropOldest, hung: true, offered: append(values(1, 2), values(8, 12)...),
			lane: link.LaneAccount{Offered: 12, Pending: 7, Dropped: 5, Overflowed: 5},
		},
		"dead letters": {
			onFull: link.DeadLetterOldest, offered: values(6, 12),
			letters: []string{"1: the lane is full: 6 records are pending", "2: the lane is full: 7 records are pending", "3: the lane is full: 6 records are pending",
				"4: the lane is full: 7 records are pending", "5: the lane is full: 6 records are pending"},
			lane: link.LaneAccount{Offered: 12, Pending: 7, DeadLettered: 5},
		},
		"dead letters beside a call": {
			onFull: link.DeadLetterOldest, hung: true, offered: append(values(1, 2), values(8, 12)...),
			letters: []string{"3: the lane is full: 6 records are pending", "4: the lane is full: 7 records are pending", "5: the lane is full: 6 records are pending",
				"6: the lane is full: 7 records are pending", "7: the lane is full: 6 records are pending"},
			lane: link.LaneAccount{Offered: 12, Pending: 7, DeadLettered: 5},
		},
		"dead letters that are refused": {
			onFull: link.DeadLetterOldest, dead: failing(99, errDown), blocked: 3, offered: values(1, 6),
			lane: link.LaneAccount{Offered: 6, Pending: 6},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				refuses := true
				out := &taker{name: "out", script: func(context.Context, int, []record.Record) error {
					if tt.hung {
						<-release
					} else if refuses {
						return errDown
					}
					return nil
				}}
				dead := &taker{name: "dead", script: tt.dead}
				var store vault
				other := &taker{name: "other"}
				l := started(t, link.Config{
					Name: "l", State: &store, Inlets: inlets(counting("n", 2, 12)), DeadLetter: dead,
					Lanes:   []link.Lane{{Outlet: other}, {Outlet: out, Pending: 6, OnFull: tt.onFull}},
					OnError: func(context.Context, *link.Error) error { return nil },
				})
				blocked := 0
				for range 6 {
					tr := l.Begin(link.Tick{})
					synctest.Wait()
					if tr.Outcome() == link.Blocked {
						blocked++
					}
					if st := l.LaneStats()[1]; st.Pending > 7 {
						t.Errorf("%d are pending", st.Pending)
					}
				}
				if tt.hung {
					assert.Empty(t, store.puts, "nothing is committed past the hanging push")
				}
				assert.Equal(t, tt.blocked, blocked)
				tt.lane.Name = "out"
				assert.Equal(t, tt.lane, l.Account().Lanes[1])
				assert.Equal(t, tt.letters, letters(dead))
				before := len(out.all())
				if tt.hung {
					before--
				}
				refuses = false
				close(release)
				l.Begin(link.Tick{Reason: record.Flush})
				synctest.Wait()
				var offered []any
				for _, o := range out.all()[before:] {
					offered = append(offered, payloads(o.records)...)
				}
				assert.Equal(t, tt.offered, offered)
			})
		})
	}
}
