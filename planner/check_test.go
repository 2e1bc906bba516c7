package planner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/testkit"
)

// unreachable is an outlet that does not reach what it writes to.
type unreachable struct {
	outlet.Outlet
	err error
}

func (u *unreachable) Check(context.Context) error { return u.err }

func TestCheck(t *testing.T) {
	onBoth(t, func(b *bench) {
		refused, absent := errors.New("connection refused"), errors.New("no such table")
		one := b.link("one", time.Second, func(c *link.Config) {
			c.Outlets = []outlet.Outlet{&unreachable{outlet.Discard(), refused}, &unreachable{outlet.Discard(), nil}}
		})
		two := b.link("two", time.Second, func(c *link.Config) { c.Outlets = []outlet.Outlet{&unreachable{outlet.Discard(), absent}} })
		p := b.planner(planner.Options{}, one, two, b.link("three", time.Second))
		err := p.Check(b.Context())
		require.ErrorIs(b, err, refused)
		require.ErrorIs(b, err, absent)
		require.NoError(b, p.Start(b.Context()))
		require.ErrorIs(b, p.Check(b.Context()), absent, "it may run")
	})
}

func TestDryRun(t *testing.T) {
	onBoth(t, func(b *bench) {
		sink := new(testkit.Sink)
		l, in := b.probe("one", time.Second, nil, func(c *link.Config) { c.Outlets = []outlet.Outlet{sink} })
		p := b.planner(planner.Options{}, l)
		previews, err := p.DryRun(b.Context())
		require.NoError(b, err)
		require.Len(b, previews, 1)
		assert.Len(b, in.all(), 1)
		assert.Zero(b, sink.Len())
		require.NoError(b, p.Start(b.Context()))
		_, err = p.DryRun(b.Context(), l)
		require.ErrorIs(b, err, link.ErrRunning)
		_, err = p.DryRun(b.Context(), b.link("other", time.Second))
		require.ErrorIs(b, err, planner.ErrUnknownLink)
		b.sleep(half)
		assert.Equal(b, 2, sink.Len(), "what was kept comes first")
		_, err = p.Shutdown(b.Context())
		require.NoError(b, err)
	})
}
