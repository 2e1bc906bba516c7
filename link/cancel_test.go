package link_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// cancelling is a link whose transfers can be cancelled.
func cancelling(t *testing.T, c link.Config) *link.Link {
	t.Helper()
	c.Name, c.Overlap = "l", link.CancelPrevious
	if c.Inlets == nil {
		c.Inlets = []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { return 1, nil })}
	}
	l, err := link.New(c)
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	t.Cleanup(func() { _, _ = l.Shutdown(context.Background()) })
	return l
}

// hours is a call that takes an hour and heeds its context, of which it does not say the
// cause.
func hours(ctx context.Context, _ int) error {
	select {
	case <-time.After(time.Hour):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
}

// cutShort makes a transfer, which it cancels after a millisecond. It returns nil if the
// transfer goes on all the same.
func cutShort(l *link.Link) *link.Transfer {
	made := make(chan *link.Transfer, 1)
	go func() { made <- l.Begin(link.Tick{}) }()
	synctest.Wait()
	time.Sleep(time.Millisecond)
	l.Cancel()
	synctest.Wait()
	select {
	case t := <-made:
		return t
	default:
		return nil
	}
}

// The context of calls is one until it is cancelled, and then another.
func TestCancelContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []context.Context
		slow := testkit.Every(3, testkit.Slow(time.Hour))
		l := cancelling(t, link.Config{
			Inlets: []inlet.Inlet{inlet.Each(func(ctx context.Context) (int, error) {
				seen = append(seen, ctx)
				return 1, slow(ctx, len(seen))
			})},
			Outlets: []outlet.Outlet{outlet.Discard()},
		})
		for range 4 {
			require.NotNil(t, cutShort(l))
		}
		require.Len(t, seen, 4)
		assert.Same(t, l, link.FromContext(seen[0]))
		assert.Equal(t, seen[0], seen[1])
		assert.Equal(t, seen[0], seen[2])
		assert.Equal(t, link.ErrCancelled, context.Cause(seen[0]))
		require.NoError(t, seen[3].Err())
		assert.Same(t, l, link.FromContext(seen[3]))
		_, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, link.ErrStopped, context.Cause(seen[3]))
		assert.Equal(t, link.ErrCancelled, context.Cause(seen[0]))
	})
}

// A transfer that is cancelled says so in its outcome, its errors and its report, and none
// of them is fatal.
func TestCancelled(t *testing.T) {
	slow := hours
	lane := func(o outlet.Outlet, lane link.Lane) func(*link.Config) {
		return func(c *link.Config) {
			lane.Outlet = o
			c.Outlets, c.Lanes = nil, []link.Lane{lane}
		}
	}
	for name, test := range map[string]struct {
		config  func(c *link.Config)
		op      link.Op
		account string
	}{
		"pull": {
			func(c *link.Config) {
				c.Inlets = []inlet.Inlet{&testkit.FaultyInlet{Inlet: inlet.Values(1), OnPull: slow}}
			}, link.OpPull,
			"pulled 0 filtered 0 held 0 pending 0 delivered 0 dropped 0 balanced",
		},
		"process": {
			func(c *link.Config) { c.Processors = []record.Processor{&testkit.FaultyProcessor{OnProcess: slow}} }, link.OpProcess,
			"pulled 1 filtered 0 failed 1 held 0 pending 0 delivered 0 dropped 0 balanced",
		},
		"push": {
			lane(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: slow}, link.Lane{}), link.OpPush,
			"pulled 1 filtered 0 held 0 pending 1 delivered 0 dropped 0 balanced",
		},
		"push of what would be dropped": {
			lane(&testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: slow}, link.Lane{OnFail: link.Drop, Retry: link.Retry{Tries: 1}}), link.OpPush,
			"pulled 1 filtered 0 held 0 pending 1 delivered 0 dropped 0 balanced",
		},
		"lane processor": {
			lane(outlet.Discard(), link.Lane{Processors: []record.Processor{&testkit.FaultyProcessor{OnProcess: slow}}}), link.OpProcess,
			"pulled 1 filtered 0 held 0 pending 1 delivered 0 dropped 0 balanced",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reports []link.Report
				letters := new(testkit.Sink)
				c := link.Config{
					Outlets:    []outlet.Outlet{outlet.Discard()},
					DeadLetter: letters,
					OnReport:   func(_ context.Context, r link.Report) { reports = append(reports, r) },
				}
				test.config(&c)
				l := cancelling(t, c)
				began := time.Now()
				made := cutShort(l)
				require.NotNil(t, made, "it has ended")
				assert.Equal(t, time.Millisecond, time.Since(began))
				assert.Equal(t, link.Cancelled, made.Outcome())
				assert.Equal(t, "cancelled", made.Outcome().String())
				require.Len(t, reports, 1)
				require.ErrorIs(t, reports[0].Err, link.ErrCancelled)
				failure, ok := errors.AsType[*link.Error](reports[0].Err)
				require.True(t, ok)
				assert.Equal(t, test.op, failure.Op)
				assert.False(t, failure.Fatal())
				assert.Equal(t, test.account, reports[0].Account.String())
				assert.True(t, l.Ready())
				assert.Zero(t, letters.Len())
			})
		})
	}
}

// Where nothing is to be cancelled, nothing happens.
func TestCancelNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := cancelling(t, link.Config{Outlets: []outlet.Outlet{outlet.Discard()}})
		l.Cancel() // before its first transfer
		for range 3 {
			assert.Equal(t, link.Ran, cutShort(l).Outcome())
			l.Cancel()
		}
		_, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		l.Cancel()
		assert.EqualValues(t, 3, l.Account().Lanes[0].Delivered)

		other, err := link.New(link.Config{
			Overlap: link.Queue, Outlets: []outlet.Outlet{outlet.Discard()},
			Inlets: []inlet.Inlet{&testkit.FaultyInlet{Inlet: inlet.Values(1), OnPull: testkit.Slow(time.Hour)}},
		})
		require.NoError(t, err)
		require.NoError(t, other.Start(t.Context()))
		began := time.Now()
		go other.Begin(link.Tick{})
		synctest.Wait()
		other.Cancel()
		_, _ = other.Shutdown(t.Context())
		assert.Equal(t, 30*time.Second, time.Since(began), "when the time of Shutdown ends")
	})
}

// A commit that is being made goes on.
func TestCancelAndCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &testkit.FaultyStore{Store: new(state.Memory), OnPut: testkit.Slow(time.Second)}
		l := cancelling(t, link.Config{
			State: store,
			Inlets: []inlet.Inlet{inlet.Since("numbers", func(_ context.Context, after int) ([]int, int, error) {
				return []int{after + 1}, after + 1, nil
			})},
			Outlets: []outlet.Outlet{outlet.Discard()},
		})
		began := time.Now()
		go l.Begin(link.Tick{})
		synctest.Wait()
		l.Cancel() // while the store is written
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.True(t, l.Ready())
		_, rev, err := store.Get(t.Context(), "link/l")
		require.NoError(t, err)
		assert.NotZero(t, rev, "it is committed")
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 4*time.Second)
	})
}

// A lane whose push was cancelled has no say over what becomes of it, also when it answers
// late.
func TestCancelOneOfTwoLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late, sink := new(testkit.Sink), new(testkit.Sink)
		pushes := 0
		l := cancelling(t, link.Config{Lanes: []link.Lane{
			{Name: "late", Retry: link.Retry{Tries: 1}, OnFail: link.Drop, Outlet: outlet.Of(func(ctx context.Context, n []int) error {
				if pushes++; pushes == 1 {
					<-ctx.Done()
					time.Sleep(time.Minute) // it takes its time
					return errors.New("interrupted")
				}
				return late.Push(ctx, make([]record.Record, len(n)), record.Update{})
			})},
			{Name: "slow", Outlet: &testkit.FaultyOutlet{Outlet: sink, OnPush: testkit.Flaky(1, testkit.Slow(time.Hour))}},
		}})
		go l.Begin(link.Tick{})
		synctest.Wait()
		l.Cancel()
		time.Sleep(time.Second)
		synctest.Wait()
		require.True(t, l.Ready(), "one lane is idle")
		go l.Begin(link.Tick{})
		synctest.Wait()
		assert.Equal(t, 2, sink.Len())
		time.Sleep(2 * time.Minute)
		_, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, late.Len())
		require.NoError(t, l.Account().Balance())
	})
}

// An answer that some records were accepted counts.
func TestCancelPartOfAPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		l := cancelling(t, link.Config{
			Inlets: []inlet.Inlet{inlet.Values(1, 2, 3)},
			Outlets: []outlet.Outlet{outlet.Each(func(ctx context.Context, n int) error {
				if n == 2 && len(got) < 2 {
					<-ctx.Done()
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				got = append(got, n)
				return nil
			})},
		})
		assert.Equal(t, link.Cancelled, cutShort(l).Outcome())
		assert.Equal(t, []int{1}, got)
		assert.EqualValues(t, 1, l.Account().Lanes[0].Delivered)
		got = append(got, 0)
		assert.Equal(t, link.Ran, cutShort(l).Outcome())
		assert.Equal(t, []int{1, 0, 2, 3}, got)
	})
}

// Nothing is begun for a transfer that was cancelled: what an inlet returns that does not
// heed its context waits.
func TestCancelBeforeAPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pushes := 0
		l := cancelling(t, link.Config{
			Inlets: []inlet.Inlet{inlet.Each(func(context.Context) (int, error) {
				time.Sleep(time.Second)
				return 1, nil
			})},
			Lanes: []link.Lane{{Outlet: outlet.Of(func(context.Context, []int) error {
				pushes++
				return nil
			})}},
		})
		cutShort(l)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.True(t, l.Ready())
		assert.Zero(t, pushes)
		report, err := l.Transfer(t.Context(), link.Tick{})
		require.NoError(t, err)
		assert.Equal(t, link.Ran, report.Outcome)
		assert.Equal(t, 2, pushes)
	})
}

// A pause between two tries ends, and the next transfer offers again.
func TestCancelAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(testkit.Sink)
		l := cancelling(t, link.Config{Lanes: []link.Lane{{
			Outlet: &testkit.FaultyOutlet{Outlet: sink, OnPush: testkit.Flaky(1, testkit.Fail(errors.New("503")))},
			Retry:  link.Retry{Backoff: time.Hour, MaxBackoff: -1, Within: -1},
		}}})
		go l.Begin(link.Tick{})
		synctest.Wait()
		require.False(t, l.Ready(), "it pauses")
		l.Cancel()
		synctest.Wait()
		require.True(t, l.Ready())
		assert.Zero(t, sink.Len())
		assert.Equal(t, link.Ran, cutShort(l).Outcome())
		assert.Equal(t, 2, sink.Len())
	})
}

// What a transfer has to commit is committed, cancelled or not.
func TestCancelBeforeACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := cancelling(t, link.Config{
			State: &testkit.FaultyStore{Store: new(state.Memory), OnPut: testkit.Slow(time.Second)},
			Inlets: []inlet.Inlet{inlet.Since("numbers", func(_ context.Context, after int) ([]int, int, error) {
				time.Sleep(time.Second)
				return []int{after + 1}, after + 1, nil
			})},
			Lanes: []link.Lane{{Outlet: outlet.Discard(), Optional: true}},
		})
		cutShort(l)
		time.Sleep(3 * time.Second)
		report, err := l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.NoError(t, report.Err)
	})
}

// A push that was cancelled does not make a record one to be given up.
func TestCancelGivesNothingUp(t *testing.T) {
	for name, giveUp := range map[string]link.GiveUp{
		"offers": {Offers: 1},
		"age":    {Age: time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				letters := new(testkit.Sink)
				l := cancelling(t, link.Config{Lanes: []link.Lane{{
					Outlet: &testkit.FaultyOutlet{Outlet: outlet.Discard(), OnPush: hours}, DeadLetter: letters, GiveUp: giveUp,
				}}})
				for range 9 { // a dead-letter outlet might not be called, its context having ended
					require.NotNil(t, cutShort(l))
				}
				assert.Zero(t, letters.Len())
				assert.EqualValues(t, 9, l.Account().Lanes[0].Pending)
			})
		})
	}
}

// That a push was cancelled says nothing about the next one.
func TestCancelThenGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pushes := 0
		var failures []error
		l := cancelling(t, link.Config{
			OnError: func(_ context.Context, err *link.Error) error {
				failures = append(failures, err)
				return nil
			},
			Lanes: []link.Lane{{Outlet: outlet.Of(func(ctx context.Context, _ []int) error {
				switch pushes++; pushes {
				case 1:
					return hours(ctx, 0)
				case 2:
					runtime.Goexit()
				}
				return nil
			})}},
		})
		require.NotNil(t, cutShort(l))
		go l.Begin(link.Tick{})
		synctest.Wait()
		require.Len(t, failures, 2)
		require.ErrorIs(t, failures[0], link.ErrCancelled)
		assert.NotErrorIs(t, failures[1], link.ErrCancelled)
	})
}

// A lane does not pause if the transfer was cancelled while a handler was asked.
func TestCancelBeforeAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(testkit.Sink)
		l := cancelling(t, link.Config{
			Inlets: []inlet.Inlet{inlet.Values(1, 2)},
			OnError: func(context.Context, *link.Error) error {
				time.Sleep(time.Second)
				return nil
			},
			Lanes: []link.Lane{{
				Outlet: &testkit.FaultyOutlet{Outlet: sink, OnPush: testkit.Flaky(1, testkit.Fail(
					&record.Partial{Failed: map[int]error{0: record.Permanent(errDown), 1: errDown}}))},
				DeadLetter: outlet.Discard(),
				Retry:      link.Retry{Backoff: time.Hour, MaxBackoff: -1, Within: -1},
			}},
		})
		go l.Begin(link.Tick{})
		synctest.Wait()
		require.Equal(t, []string{"OnError"}, l.Busy()[len(l.Busy())-1:])
		l.Cancel()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.True(t, l.Ready(), "it does not pause")
	})
}
