package link_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// A transfer that was released becomes another one. Reports that were given away stay
// as they are.
func TestRelease(t *testing.T) {
	var nodes link.Nodes
	var reports []link.Report
	var links []*link.Link
	for _, name := range []string{"a", "b"} {
		in := &feed{name: "in", script: func(_ context.Context, n int) ([]record.Record, error) {
			return of(make([]any, n)...), nil
		}}
		l, err := link.New(link.Config{
			Name: name, Inlets: inlets(in), Outlets: outlets(&taker{name: name}),
			OnReport: func(_ context.Context, r link.Report) { reports = append(reports, r) },
		})
		require.NoError(t, err)
		require.NoError(t, l.Attach(new(host), &nodes))
		require.NoError(t, l.Start(t.Context()))
		links = append(links, l)
	}
	for range 3 {
		for _, l := range links {
			tr := l.Begin(link.Tick{})
			assert.Equal(t, link.Ran, tr.Outcome())
			tr.Release()
		}
	}
	require.Len(t, reports, 6)
	for i, r := range reports {
		assert.Equal(t, links[i%2].Name(), r.Link)
		assert.EqualValues(t, i/2, r.Number)
		require.Len(t, r.Lanes, 1)
		assert.Equal(t, r.Link, r.Lanes[0].Name, "report %d", i)
		assert.Equal(t, r.Pulled, r.Lanes[0].Delivered, "report %d", i)
	}
	for _, l := range links {
		_, err := l.Shutdown(t.Context())
		require.NoError(t, err)
	}
}
