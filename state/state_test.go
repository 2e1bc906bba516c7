package state_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/state"
)

func TestMemory(t *testing.T) {
	var m state.Memory
	ctx := t.Context()
	value, rev, err := m.Get(ctx, "a")
	require.NoError(t, err, "what was never written is no error")
	assert.Nil(t, value)
	assert.Zero(t, rev)

	first, err := m.Put(ctx, "a", []byte("one"), 0)
	require.NoError(t, err)
	assert.Positive(t, first)
	second, err := m.Put(ctx, "a", []byte("two, longer"), first)
	require.NoError(t, err)
	assert.Greater(t, second, first)
	third, err := m.Put(ctx, "a", []byte("3"), second)
	require.NoError(t, err)
	value, rev, err = m.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "3", string(value))
	assert.Equal(t, third, rev)

	value, rev, err = m.Get(ctx, "b")
	require.NoError(t, err)
	assert.Nil(t, value, "keys are apart")
	assert.Zero(t, rev)
}

func TestMemoryConflicts(t *testing.T) {
	var m state.Memory
	ctx := t.Context()
	_, err := m.Put(ctx, "absent", []byte("x"), 1)
	require.ErrorIs(t, err, state.ErrConflict)
	rev, err := m.Put(ctx, "a", []byte("one"), 0)
	require.NoError(t, err)
	for _, wrong := range []int64{0, rev - 1, rev + 1, -1} {
		got, err := m.Put(ctx, "a", []byte("two"), wrong)
		require.ErrorIs(t, err, state.ErrConflict, "revision %d", wrong)
		assert.Zero(t, got)
	}
	value, now, err := m.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "one", string(value))
	assert.Equal(t, rev, now)
	_, rev, err = m.Get(ctx, "absent")
	require.NoError(t, err)
	assert.Zero(t, rev, "a conflict writes nothing")
}

func TestMemoryKeepsNothingOfTheCaller(t *testing.T) {
	var m state.Memory
	ctx := t.Context()
	given := []byte("given")
	rev, err := m.Put(ctx, "a", given, 0)
	require.NoError(t, err)
	given[0] = 'X'
	first, _, err := m.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "given", string(first))
	first[0] = 'Y'
	second, _, err := m.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "given", string(second))
	_, err = m.Put(ctx, "a", []byte("other"), rev)
	require.NoError(t, err)
	assert.Equal(t, "given", string(second), "what was got before does not change")
}

func TestMemoryValues(t *testing.T) {
	var m state.Memory
	for key, value := range map[string]string{"": "empty key", "link/a b": "x", "empty": "", "zero": "\x00"} {
		_, err := m.Put(t.Context(), key, []byte(value), 0)
		require.NoError(t, err)
		got, rev, err := m.Get(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, value, string(got))
		assert.Positive(t, rev, "written, whatever the value")
	}
}

func TestMemoryAfterTheContextHasEnded(t *testing.T) {
	var m state.Memory
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.Put(ended, "a", []byte("x"), 0)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = m.Get(ended, "a")
	require.ErrorIs(t, err, context.Canceled)
	_, rev, err := m.Get(t.Context(), "a")
	require.NoError(t, err)
	assert.Zero(t, rev, "nothing was written")
}

// Of many writers at one revision one succeeds: nothing that was counted is lost.
func TestMemoryIsConcurrent(t *testing.T) {
	var m state.Memory
	ctx := t.Context()
	const writers, each = 4, 200
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for done := 0; done < each; {
				value, rev, err := m.Get(ctx, "count")
				if !assert.NoError(t, err) {
					return
				}
				n, _ := strconv.Atoi(string(value))
				if _, err := m.Put(ctx, "count", []byte(strconv.Itoa(n+1)), rev); err == nil {
					done++
				} else if !assert.ErrorIs(t, err, state.ErrConflict) {
					return
				}
			}
		})
	}
	group.Wait()
	value, rev, err := m.Get(ctx, "count")
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(writers*each), string(value))
	assert.Equal(t, int64(writers*each), rev)
}

func Example() {
	var store state.Store = new(state.Memory)
	ctx := context.Background()
	_, rev, _ := store.Get(ctx, "link/todos")
	fmt.Println("absent:", rev)
	rev, _ = store.Put(ctx, "link/todos", []byte("position 17"), rev)
	value, _, _ := store.Get(ctx, "link/todos")
	fmt.Printf("%d: %s\n", rev, value)
	_, err := store.Put(ctx, "link/todos", []byte("position 12"), 0)
	fmt.Println(err)
	// Output:
	// absent: 0
	// 1: position 17
	// state: the revision is not the current one
}

func ExampleMemory() {
	var m state.Memory
	rev, err := m.Put(context.Background(), "key", []byte("value"), 0)
	fmt.Println(rev, err)
	// Output: 1 <nil>
}
