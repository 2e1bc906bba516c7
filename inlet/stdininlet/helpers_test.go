package stdininlet_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/stdininlet"
	"github.com/databay-go/databay/record"
)

// started returns an inlet that is started, and stopped when the test ends.
func started(t testing.TB, opts *stdininlet.Options) *stdininlet.Inlet {
	t.Helper()
	in := stdininlet.New(opts)
	require.NoError(t, in.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, in.Shutdown(context.Background())) })
	return in
}

func pull(ctx context.Context, in *stdininlet.Inlet) ([]any, error) {
	records, err := in.Pull(ctx, record.Update{})
	var payloads []any
	for _, r := range records {
		payloads = append(payloads, r.Payload)
	}
	return payloads, err
}

// all pulls until the input is done, and returns what came and the errors.
func all(t testing.TB, in *stdininlet.Inlet) (payloads []any, errs []string) {
	t.Helper()
	for {
		got, err := pull(t.Context(), in)
		payloads = append(payloads, got...)
		if err != nil {
			errs = append(errs, err.Error())
		}
		select {
		case <-in.Done():
			return payloads, errs
		default:
		}
	}
}
