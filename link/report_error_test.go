package link_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
)

// OnError says whether to go on: with nil a failure is settled, with another error
// that is handed on. What becomes of the records is the same.
func TestOnError(t *testing.T) {
	other := errors.New("this is too much")
	tests := map[string]struct {
		onError func(*link.Error) error
		verdict func(*link.Error) error // of the host
		host    error                   // what it is told
		returns error
	}{
		"none":                        {nil, nil, errDown, errDown},
		"settled":                     {func(*link.Error) error { return nil }, nil, nil, nil},
		"handed on":                   {func(err *link.Error) error { return err }, nil, errDown, errDown},
		"its cause is handed on":      {func(err *link.Error) error { return err.Err }, nil, errDown, errDown},
		"another is handed on":        {func(*link.Error) error { return other }, nil, other, other},
		"settled by the host":         {nil, func(*link.Error) error { return nil }, errDown, nil},
		"handed on, and settled then": {func(*link.Error) error { return other }, func(*link.Error) error { return nil }, other, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := &host{verdict: tt.verdict}
			out := &taker{name: "out", script: failing(1, errDown)}
			var ctxs []context.Context
			c := link.Config{Name: "l", Inlets: inlets(counting("n", 2, 9)), Outlets: outlets(out)}
			if tt.onError != nil {
				c.OnError = func(ctx context.Context, err *link.Error) error {
					ctxs = append(ctxs, ctx)
					return tt.onError(err)
				}
			}
			l, err := link.New(untried(c))
			require.NoError(t, err)
			require.NoError(t, l.Attach(h, new(link.Nodes)))
			require.NoError(t, l.Start(t.Context()))
			r, err := transfer(t, l)
			if tt.host == nil {
				assert.Empty(t, h.failed)
			} else {
				require.Len(t, h.failed, 1)
				assert.ErrorIs(t, h.failed[0], tt.host)
				assert.Equal(t, link.OpPush, h.failed[0].Op)
				assert.Equal(t, "out", h.failed[0].Node)
				assert.True(t, h.failed[0].Kept)
			}
			if tt.returns == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, tt.returns)
				assert.Equal(t, link.OpPush, failure(t, err).Op)
			}
			assert.ErrorIs(t, r.Err, errDown, "the report has what happened")
			assert.Equal(t, link.Failed, r.Outcome)
			for _, ctx := range ctxs {
				assert.Same(t, l, link.FromContext(ctx))
			}
			transferred(t, l)
			assert.Equal(t, values(1, 4), out.accepted())
			_, err = shut(t, l)
			require.NoError(t, err)
		})
	}
}

// Failures of several lanes at the same time are told one after another.
func TestOnErrorIsCalledOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, most, calls atomic.Int64
		c := link.Config{Inlets: inlets(counting("n", 1, 9)), OnError: func(context.Context, *link.Error) error {
			most.Store(max(most.Load(), inside.Add(1)))
			defer inside.Add(-1)
			calls.Add(1)
			time.Sleep(time.Second)
			return nil
		}}
		for i := range 5 {
			c.Outlets = append(c.Outlets, &taker{name: fmt.Sprint(i), script: failing(1, errDown)})
		}
		l := started(t, c)
		r, err := transfer(t, l)
		require.NoError(t, err)
		assert.Equal(t, 5*time.Second, r.Took)
		assert.Equal(t, int64(5), calls.Load())
		assert.Equal(t, int64(1), most.Load())
		assert.Len(t, r.Err.(interface{ Unwrap() []error }).Unwrap(), 5)
	})
}

// A handler that fails itself has settled nothing, and is reported to the host.
func TestHandlersPanic(t *testing.T) {
	h := new(host)
	out := &taker{name: "out", script: failing(1, errDown)}
	l, err := link.New(untried(link.Config{
		Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out),
		OnError:  func(context.Context, *link.Error) error { panic("OnError fails") },
		OnReport: func(context.Context, link.Report) { panic("OnReport fails") },
	}))
	require.NoError(t, err)
	require.NoError(t, l.Attach(h, new(link.Nodes)))
	require.NoError(t, l.Start(t.Context()))
	_, err = transfer(t, l)
	assert.ErrorIs(t, err, errDown)
	require.Len(t, h.failed, 3)
	assert.Equal(t, link.OpReport, h.failed[0].Op)
	assert.Equal(t, "OnError", h.failed[0].Node)
	assert.ErrorContains(t, h.failed[0], "panic: OnError fails")
	assert.True(t, h.failed[0].Fatal())
	assert.ErrorIs(t, h.failed[1], errDown)
	assert.Equal(t, "OnReport", h.failed[2].Node)
	assert.Len(t, h.reports, 1, "the host is told all the same")
	transfer(t, l)
	assert.Equal(t, list(1, 2), out.accepted())
	l.Shutdown(t.Context())
}

// A host is told after OnReport, and Transfer returns after both.
func TestReportedInOrder(t *testing.T) {
	var order []string
	h := &reporting{told: func() { order = append(order, "host") }}
	l, err := link.New(link.Config{
		Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(&taker{name: "out"}),
		OnReport: func(context.Context, link.Report) { order = append(order, "OnReport") },
	})
	require.NoError(t, err)
	require.NoError(t, l.Attach(h, new(link.Nodes)))
	require.NoError(t, l.Start(t.Context()))
	transferred(t, l)
	assert.Equal(t, []string{"OnReport", "host"}, order)
	_, err = shut(t, l)
	require.NoError(t, err)
	assert.Equal(t, []string{"OnReport", "host", "OnReport", "host"}, order)
}

type reporting struct {
	host
	told func()
}

func (r *reporting) Reported(context.Context, *link.Link, link.Report) { r.told() }
