package link_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// of returns records with the given payloads.
func of(values ...any) []record.Record {
	records := make([]record.Record, len(values))
	for i, v := range values {
		records[i].Payload = v
	}
	return records
}

func payloads(records []record.Record) []any {
	values := make([]any, len(records))
	for i, r := range records {
		values[i] = r.Payload
	}
	return values
}

// values returns the ints from first to last as payloads.
func values(first, last int) []any {
	all := []any{}
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

func lists(all ...[]any) [][]any { return all }

func list(values ...any) []any { return append([]any{}, values...) }

func outlets(all ...outlet.Outlet) []outlet.Outlet { return all }

func inlets(all ...inlet.Inlet) []inlet.Inlet { return all }

// started returns a link that is started, and shut down at the end of the test.
func started(t *testing.T, c link.Config) *link.Link {
	t.Helper()
	l, err := link.New(untried(c))
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	t.Cleanup(func() {
		l.Shutdown(context.Background())
		assert.NoError(t, l.Account().Balance())
	})
	return l
}

// untried returns c with lanes that offer once a transfer, unless they say otherwise.
func untried(c link.Config) link.Config {
	var lanes []link.Lane
	for _, lane := range c.Lanes {
		if lane.Retry == (link.Retry{}) {
			lane.Retry.Tries = 1
		}
		lanes = append(lanes, lane)
	}
	for _, out := range c.Outlets {
		lanes = append(lanes, link.Lane{Outlet: out, Retry: link.Retry{Tries: 1}})
	}
	c.Lanes, c.Outlets = lanes, nil
	return c
}

// transfer makes one forced transfer.
func transfer(t *testing.T, l *link.Link) (link.Report, error) {
	t.Helper()
	r, err := l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
	assert.NoError(t, r.Balance())
	assert.NoError(t, l.Account().Balance())
	return r, err
}

// transferred makes one forced transfer that ends well.
func transferred(t *testing.T, l *link.Link) link.Report {
	t.Helper()
	r, err := transfer(t, l)
	require.NoError(t, err)
	return r
}

// shut shuts l down.
func shut(t *testing.T, l *link.Link) (link.Report, error) {
	t.Helper()
	r, err := l.Shutdown(t.Context())
	assert.NoError(t, r.Balance())
	assert.NoError(t, l.Account().Balance())
	return r, err
}

// failure returns err as a failure of a node.
func failure(t *testing.T, err error) *link.Error {
	t.Helper()
	e, ok := errors.AsType[*link.Error](err)
	require.True(t, ok, "%v", err)
	return e
}
