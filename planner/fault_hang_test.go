package planner_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
)

// hanging returns a schedule whose Next hangs from a moment on, until release is called.
func hanging(b *bench, at time.Duration) (s *badSchedule, release func()) {
	open := make(chan struct{})
	s = &badSchedule{Schedule: schedule.Every(time.Second), began: b.began}
	s.next = func(after time.Time) (time.Time, bool) {
		if after.Sub(b.began) >= at {
			<-open
		}
		return time.Time{}, false
	}
	return s, func() { close(open) }
}

// A schedule that does not return holds no Shutdown up, and no other link's nodes.
func TestHangingSchedule(t *testing.T) {
	onBoth(t, func(b *bench) {
		s, release := hanging(b, 3*time.Second)
		l := b.link("hanging", time.Second, func(c *link.Config) { c.Schedule = s })
		p := b.running(planner.Options{ShutdownTimeout: 10 * time.Second}, l)
		b.sleep(5 * time.Second)
		began := time.Now()
		_, err := p.Shutdown(b.Context())
		assert.ErrorContains(b, err, "the Trigger has not stopped")
		assert.LessOrEqual(b, time.Since(began), 11*time.Second)
		assert.Empty(b, l.Busy())
		release()
	})
}

// A schedule that does not return its first instant is left behind when the context
// of Start ends.
func TestHangingStart(t *testing.T) {
	onBoth(t, func(b *bench) {
		s, release := hanging(b, 0)
		l := b.link("hanging", time.Second, func(c *link.Config) { c.Schedule = s })
		p := b.planner(planner.Options{}, l)
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		err := p.Start(ctx)
		require.ErrorIs(b, err, context.DeadlineExceeded)
		failure, ok := errors.AsType[*link.Error](err)
		require.True(b, ok, "%v", err)
		assert.Equal(b, link.OpSchedule, failure.Op)
		assert.Equal(b, "bad schedule", failure.Node)
		release()
		b.sleep(time.Second)
		s.next = nil
		require.NoError(b, p.Start(b.Context()), "what was left behind is not in the way")
		b.sleep(2500 * time.Millisecond)
		assert.EqualValues(b, 2, b.ledger(p, l).Ran)
	})
}

// An OnError that returns an error of which no method can be called is a panic.
func TestOnErrorReturnsANilPointer(t *testing.T) {
	onBoth(t, func(b *bench) {
		failing := func(context.Context) error { return errors.New("no") }
		one, _ := b.probe("one", time.Second, failing)
		two, _ := b.probe("two", time.Second, failing)
		p := b.planner(planner.Options{OnError: func(context.Context, *link.Error) error {
			var none *fs.PathError
			return none
		}}, one, two)
		_, ok := errors.AsType[*link.PanicError](p.Run(b.Context()))
		assert.True(b, ok)
	})
}

// vague is an error that can be compared only if its detail can.
type vague struct{ detail any }

func (vague) Error() string { return "vague" }

func TestOnErrorReturnsWhatCannotBeCompared(t *testing.T) {
	onBoth(t, func(b *bench) {
		failing := func(context.Context) error { return errors.New("no") }
		one, _ := b.probe("one", time.Second, failing)
		two, _ := b.probe("two", time.Second, failing)
		p := b.planner(planner.Options{OnError: func(_ context.Context, err *link.Error) error {
			return vague{[]string{err.Link}}
		}}, one, two)
		_, ok := errors.AsType[vague](p.Run(b.Context()))
		assert.True(b, ok)
	})
}
