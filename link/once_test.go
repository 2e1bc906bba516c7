package link_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	refuse := func(n int, err error) func(context.Context, []record.Record, record.Update) error {
		return func(context.Context, []record.Record, record.Update) error {
			if n--; n >= 0 {
				return err
			}
			return nil
		}
	}
	tests := []struct {
		name    string
		c       link.Config
		push    func(context.Context, []record.Record, record.Update) error
		want    string
		err     string
		outcome link.Outcome
	}{
		{
			name:    "success",
			want:    "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
			outcome: link.Ran,
		},
		{
			name:    "what is held is released",
			c:       link.Config{Processors: []record.Processor{&keeper{name: "buffer", size: 10}}},
			want:    "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
			outcome: link.Ran,
		},
		{
			name:    "refused, and accepted at the last offer",
			push:    refuse(1, errDown),
			want:    "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
			outcome: link.Failed,
		},
		{
			name:    "refused to the end",
			push:    refuse(2, errDown),
			want:    "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 lost 3 balanced",
			err:     "link link: push tank: 503 (3 kept)",
			outcome: link.Failed,
		},
		{
			name: "refused to the end, which OnError settles",
			push: refuse(2, errDown),
			c:    link.Config{OnError: func(context.Context, *link.Error) error { return nil }},
			want: "pulled 3 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 3 lost 3 balanced",

			outcome: link.Failed,
		},
		{
			name:    "an inlet that fails",
			c:       link.Config{Inlets: inlets(&pump{life: life{name: "bad"}, onPull: func(context.Context, record.Update) ([]record.Record, error) { return of(9), errDown }})},
			want:    "pulled 4 filtered 0 held 0 pending 0 delivered 4 dropped 0 balanced",
			err:     "link link: pull bad: 503",
			outcome: link.Failed,
		},
		{
			name: "a broker that is not told",
			c:    link.Config{Inlets: inlets(&broker{feed: *feeding("broker", list(4)), failures: 9})},
			want: "pulled 4 filtered 0 held 0 pending 0 delivered 4 dropped 0 balanced",
			err:  "link link: commit broker: no broker",

			outcome: link.Failed,
		},
		{
			name:    "a node that cannot be stopped",
			c:       link.Config{Inlets: inlets(&pump{life: life{name: "bad", onShutdown: func(context.Context) error { return errDown }}})},
			want:    "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced",
			err:     "link link: shutdown bad: 503",
			outcome: link.Failed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := new(diary)
			c := tt.c
			c.Inlets = append(inlets(&pump{life: life{name: "in", diary: d}, onPull: once(1, 2, 3)}), c.Inlets...)
			c.Outlets = outlets(&tank{life: life{name: "tank", diary: d}, onPush: tt.push})
			l, err := link.New(untried(c))
			require.NoError(t, err)
			report, err := l.Once(t.Context())
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			assert.Equal(t, tt.outcome, report.Outcome)
			assert.Equal(t, tt.outcome == link.Failed, report.Err != nil)
			assert.Equal(t, tt.want, report.String())
			assert.Equal(t, l.Account(), report.Account, "it is all that happened")
			assert.Equal(t, record.Forced, report.Reason)
			assert.Equal(t, "link", report.Link)
			lines := d.take()
			assert.Equal(t, []string{"start tank", "start in", "pull in"}, lines[:3])
			assert.Equal(t, []string{"shutdown in", "shutdown tank"}, lines[len(lines)-2:])
			_, err = l.Transfer(t.Context(), link.Tick{})
			require.ErrorIs(t, err, link.ErrStopped)
		})
	}
}

func TestOnceTwice(t *testing.T) {
	t.Parallel()
	var numbers []int64
	out := &tank{onPush: func(_ context.Context, _ []record.Record, u record.Update) error {
		numbers = append(numbers, u.Number)
		return nil
	}}
	l, err := link.New(link.Config{Inlets: inlets(&tape{pump: pump{life: life{name: "in"}}, values: values(1, 4), per: 2}), Outlets: outlets(out)})
	require.NoError(t, err)
	for range 2 {
		report, err := l.Once(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced", report.String())
	}
	assert.Equal(t, list(1, 2, 3, 4), out.content(), "it goes on from what is committed")
	assert.Len(t, numbers, 2)
	assert.Less(t, numbers[0], numbers[1])
}

// Of several Onces that follow one another closely, each returns its own end.
func TestOnceAfterOnce(t *testing.T) {
	t.Parallel()
	var pulls atomic.Int64
	in := inlet.Of(func(context.Context) ([]int, error) { return make([]int, pulls.Add(1)%7+1), nil })
	l, err := link.New(link.Config{
		Inlets:     inlets(in),
		Processors: []record.Processor{buffer.New(&buffer.Options{Count: 1000})}, // it is the end that delivers
		Outlets:    outlets(outlet.Discard()),
	})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				r, err := l.Once(t.Context())
				if errors.Is(err, link.ErrRunning) {
					runtime.Gosched()
					continue
				}
				if !assert.NoError(t, err) || !assert.Equal(t, r.Account.Pulled, r.Account.Lanes[0].Delivered, r.Account.String()) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestOnceCannotStart(t *testing.T) {
	t.Parallel()
	l, err := link.New(link.Config{
		Inlets:  inlets(&pump{life: life{name: "in", onStart: func(context.Context) error { return errDown }}}),
		Outlets: outlets(&tank{}),
	})
	require.NoError(t, err)
	report, err := l.Once(t.Context())
	require.ErrorIs(t, err, errDown)
	assert.Equal(t, link.Report{}, report)
}

func TestOnceFromInside(t *testing.T) {
	t.Parallel()
	var errs []error
	l, err := link.New(link.Config{
		Inlets: inlets(&pump{onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
			_, err := link.FromContext(ctx).Once(ctx)
			errs = append(errs, err)
			_, err = link.FromContext(ctx).Transfer(ctx, link.Tick{})
			errs = append(errs, err)
			return nil, nil
		}}),
		Outlets: outlets(&tank{}),
	})
	require.NoError(t, err)
	_, err = l.Once(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []error{link.ErrInside, link.ErrInside}, errs)
}

// The end of ctx is a soft stop.
func TestOnceIsCutShort(t *testing.T) {
	t.Parallel()
	wait := func(d time.Duration, obeys bool) func(context.Context) error {
		return func(ctx context.Context) error {
			if !obeys {
				time.Sleep(d)
				return nil
			}
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	tests := []struct {
		name    string
		pull    func(context.Context) error
		push    func(context.Context) error
		took    time.Duration
		want    string
		err     string // besides that of ctx
		outcome link.Outcome
	}{
		{"a pull that comes to its end", wait(2*time.Second, true), nil, 2 * time.Second,
			"pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced", "", link.Ran},
		{"a push that comes to its end", nil, wait(2*time.Second, true), 2 * time.Second,
			"pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced", "", link.Ran},
		{"a push that obeys", nil, wait(time.Minute, true), 6 * time.Second,
			"pulled 2 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 2 lost 2 balanced", "push tank: link: stopped (2 kept)", link.Failed},
		{"a pull that hangs", wait(time.Minute, false), nil, 6500 * time.Millisecond,
			"pulled 0 filtered 0 held 0 pending 0 delivered 0 dropped 0 balanced", "shutdown in: abandoned", link.Failed},
		{"a push that hangs", nil, wait(time.Minute, false), 6500 * time.Millisecond,
			"pulled 2 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 2 lost 2 balanced", "shutdown tank: abandoned", link.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, err := link.New(link.Config{
					Inlets: inlets(&pump{life: life{name: "in"}, onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
						if tt.pull != nil {
							if err := tt.pull(ctx); err != nil {
								return nil, err
							}
						}
						return of(1, 2), nil
					}}),
					Outlets: outlets(&tank{life: life{name: "tank"}, onPush: func(ctx context.Context, _ []record.Record, _ record.Update) error {
						if tt.push != nil {
							return tt.push(ctx)
						}
						return nil
					}}),
					ShutdownTimeout: 5 * time.Second,
				})
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				report, err := l.Once(ctx)
				assert.Equal(t, tt.took, time.Since(began))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, tt.err)
				assert.Equal(t, tt.outcome, report.Outcome)
				assert.Equal(t, tt.want, report.String())
				assert.Equal(t, tt.took, report.Took)
				assert.Equal(t, int64(0), report.Number)
				time.Sleep(time.Hour)
				synctest.Wait()
				assert.Equal(t, l.Account(), report.Account)
			})
		})
	}
}

// A context that ends when all is done is no error.
func TestOnceIsDoneInTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l, err := link.New(link.Config{
		Inlets:  inlets(&pump{life: life{onShutdown: func(context.Context) error { cancel(); return nil }}, onPull: once(1)}),
		Outlets: outlets(&tank{}),
	})
	require.NoError(t, err)
	report, err := l.Once(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(1), report.Lanes[0].Delivered)
}

// Somebody else may stop the link.
func TestOnceIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, err := link.New(link.Config{
			Inlets: inlets(
				&pump{onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
					time.Sleep(time.Minute)
					return of(1), nil
				}},
				&pump{onPull: func(ctx context.Context, _ record.Update) ([]record.Record, error) { return of(2, 3), nil }},
			),
			Outlets:         outlets(&tank{}),
			ShutdownTimeout: -1,
		})
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() { l.Shutdown(context.Background()) })
		report, err := l.Once(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "pulled 3 filtered 0 held 0 pending 0 delivered 3 dropped 0 balanced", report.String())

		time.AfterFunc(time.Second, func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			l.Shutdown(ctx)
		})
		report, err = l.Once(t.Context())
		require.ErrorContains(t, err, "abandoned")
		assert.Equal(t, link.Failed, report.Outcome)
		assert.Equal(t, "pulled 2 filtered 0 held 0 pending 0 delivered 0 dropped 0 abandoned 2 lost 2 balanced", report.String())
		time.Sleep(time.Hour)
	})
}
