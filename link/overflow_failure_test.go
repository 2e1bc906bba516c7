package link_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// While the spool is full, or fails, the link keeps what was pulled, and pulls nothing. It
// does not stop, and nothing becomes a dead letter.
func TestOverflowIntoAFullSpool(t *testing.T) {
	t.Parallel()
	full := false
	c := &cellar{append: func() error {
		if full {
			return spool.ErrFull
		}
		return nil
	}}
	out, letters := &taker{name: "out"}, &taker{name: "letters"}
	l := started(t, link.Config{
		Inlets: inlets(numbered(2)), Lanes: []link.Lane{{Outlet: out}}, DeadLetter: letters,
		Processors: []record.Processor{overflowing(c, 9)},
	})
	transferred(t, l)
	full = true
	r, err := transfer(t, l)
	require.ErrorIs(t, err, spool.ErrFull)
	e := failure(t, err)
	assert.Equal(t, link.OpSpool, e.Op)
	assert.True(t, e.Kept)
	assert.False(t, e.Fatal())
	assert.Equal(t, int64(2), r.Failed)
	for range 3 {
		r, err = transfer(t, l)
		require.ErrorIs(t, err, spool.ErrFull)
		assert.Equal(t, link.Blocked, r.Outcome)
		assert.Zero(t, r.Pulled)
	}
	full = false
	for range 3 {
		transferred(t, l)
	}
	assert.Equal(t, values(1, 10), out.accepted())
	assert.Empty(t, letters.got())
}

// A record that the spool cannot take becomes a dead letter, and holds nothing back.
func TestOverflowOfWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	out, letters := &taker{name: "out"}, &taker{name: "letters"}
	in := &feed{name: "n", script: func(_ context.Context, n int) ([]record.Record, error) {
		return of(n, -1), nil
	}}
	l := started(t, link.Config{
		Inlets: inlets(in), Lanes: []link.Lane{{Outlet: out}}, DeadLetter: letters,
		Processors: []record.Processor{overflowing(fittingCellar{new(cellar)}, 3)},
	})
	for range 3 {
		_, err := transfer(t, l)
		e := failure(t, err)
		assert.Equal(t, 1, e.DeadLettered)
		assert.True(t, record.IsPermanent(e))
		assert.False(t, e.Fatal())
	}
	assert.Equal(t, list(1, 2, 3), out.accepted())
	assert.Len(t, letters.got(), 3)
}

// fittingCellar says what it takes.
type fittingCellar struct{ *cellar }

func (c fittingCellar) Fits(r record.Record) error {
	if r.Payload == -1 {
		return errors.New("no codec")
	}
	return nil
}

// What cannot be removed is told, tried again with the next commit, and stops nothing.
func TestSettledFails(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() error{
		"error": func() error { return errDown },
		"panic": func() error { panic(errDown) },
	} {
		t.Run(name, func(t *testing.T) {
			broken := true
			c := &cellar{remove: func() error {
				if broken {
					return end()
				}
				return nil
			}}
			out := &taker{name: "out"}
			l := started(t, link.Config{
				Inlets: inlets(counting("n", 3, 9)), Lanes: []link.Lane{{Outlet: out}},
				Processors: []record.Processor{overflowing(c, 6)},
			})
			transferred(t, l)
			_, err := transfer(t, l)
			require.ErrorContains(t, err, "what is delivered may be released again after a start")
			e := failure(t, err)
			assert.Equal(t, link.OpSpool, e.Op)
			assert.Equal(t, name == "panic", e.Fatal())
			assert.Equal(t, values(1, 3), c.content())
			broken = false
			transferred(t, l)
			assert.Equal(t, values(1, 6), out.accepted())
			assert.Equal(t, values(7, 9), c.content())
		})
	}
}

// A spool that hangs when it is told is named, and left behind.
func TestSettledHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		c := &cellar{remove: func() error { <-free; return nil }}
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 3, 9)), ShutdownTimeout: time.Second,
			Lanes:      []link.Lane{{Outlet: &taker{name: "out"}}},
			Processors: []record.Processor{overflowing(c, 6)},
		})
		transferred(t, l)
		go l.Transfer(context.Background(), link.Tick{Reason: record.Forced})
		synctest.Wait()
		assert.Equal(t, []string{"buffer(count 6)"}, l.Busy())
		began := time.Now()
		_, err := l.Shutdown(t.Context())
		require.ErrorContains(t, err, "shutdown buffer(count 6): abandoned")
		assert.Less(t, time.Since(began), 2*time.Second)
		close(free)
		synctest.Wait()
	})
}
