package link_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
)

// One record a transfer.
func BenchmarkTransfer(b *testing.B) {
	n := 0
	l, err := link.New(link.Config{
		Name:    "w1",
		Inlets:  []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { n++; return n, nil })},
		Outlets: []outlet.Outlet{outlet.Discard()},
	})
	require.NoError(b, err)
	require.NoError(b, l.Start(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		l.Transfer(b.Context(), link.Tick{})
	}
	_, err = l.Shutdown(context.Background())
	require.NoError(b, err)
}
