package goroutine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/planner/internal/goroutine"
)

func TestID(t *testing.T) {
	t.Parallel()
	mine := goroutine.ID()
	require.NotZero(t, mine)
	require.Equal(t, mine, goroutine.ID(), "the same goroutine has the same ID")
	others := make(chan uint64)
	for range 2 {
		go func() { others <- goroutine.ID() }()
	}
	first, second := <-others, <-others
	require.NotEqual(t, mine, first)
	require.NotEqual(t, mine, second)
	require.NotZero(t, first)
}
