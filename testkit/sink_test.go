package testkit_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func push(t *testing.T, s *testkit.Sink, number int64, values ...any) {
	t.Helper()
	var records []record.Record
	for _, v := range values {
		records = append(records, record.New(v))
	}
	assert.NoError(t, s.Push(t.Context(), records, record.Update{Number: number}))
}

func TestSink(t *testing.T) {
	t.Parallel()
	s := new(testkit.Sink)
	assert.Equal(t, "sink", s.String())
	assert.Equal(t, "other", (&testkit.Sink{Name: "other"}).String())
	assert.Nil(t, s.Payloads())
	assert.Empty(t, s.Records())

	push(t, s, 0, 1, 2)
	push(t, s, 1)
	push(t, s, 2, 3)
	assert.Equal(t, []any{1, 2, 3}, s.Payloads())
	assert.Equal(t, 3, s.Len())
	assert.Len(t, s.Batches(), 3)
	assert.Len(t, s.Batches()[0], 2)
	assert.Empty(t, s.Batches()[1])
	assert.Equal(t, int64(2), s.Updates()[2].Number)

	s.Batches()[0][0] = record.New("mine")
	s.Records()[0] = record.New("mine")
	assert.Equal(t, []any{1, 2, 3}, s.Payloads(), "what it returns are copies")

	s.Reset()
	assert.Zero(t, s.Len())
	assert.Empty(t, s.Batches())
	assert.Empty(t, s.Updates())
}

func TestSinkWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, began := new(testkit.Sink), time.Now()
		assert.NoError(t, s.Wait(t.Context(), 0))
		for i := range 5 {
			time.AfterFunc(time.Duration(i+1)*time.Second, func() { push(t, s, int64(i), i) })
		}
		other := make(chan error)
		go func() { other <- s.Wait(t.Context(), 4) }()
		assert.NoError(t, s.Wait(t.Context(), 3))
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.NoError(t, <-other)
		assert.Equal(t, 4*time.Second, time.Since(began))

		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errBroken)
		defer cancel()
		err := s.Wait(ctx, 9)
		assert.ErrorIs(t, err, errBroken)
		assert.EqualError(t, err, "sink: 5 of 9 records have come: it is broken")
	})
}

func TestValues(t *testing.T) {
	t.Parallel()
	in := testkit.Values([]int{1, 2}, nil, []int{3})
	var got [][]any
	for range 4 {
		records, err := in.Pull(t.Context(), record.Update{})
		assert.NoError(t, err)
		var batch []any
		for _, r := range records {
			batch = append(batch, r.Payload)
		}
		got = append(got, batch)
	}
	assert.Equal(t, [][]any{{1, 2}, nil, {3}, nil}, got)
}

func TestRows(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := &testkit.Rows{Name: "orders", PerPull: 2}
	pull := func(r *testkit.Rows) (all []any) {
		records, err := r.Pull(ctx, record.Update{})
		assert.NoError(t, err)
		for _, r := range records {
			assert.Equal(t, fmt.Sprint("orders/", r.Payload), r.ID())
			all = append(all, r.Payload)
		}
		return all
	}
	assert.Nil(t, r.Position())
	assert.Empty(t, pull(r))
	r.Add(3)
	assert.Equal(t, []any{0, 1}, pull(r))
	assert.Equal(t, "2", string(r.Position()))
	assert.Equal(t, []any{2}, pull(r))
	assert.Empty(t, pull(r))
	assert.Equal(t, "3", string(r.Position()))

	again := r.Again()
	r.Add(2)
	assert.Equal(t, 5, again.Len(), "the table is shared")
	assert.Equal(t, []any{0, 1}, pull(again), "the position is not")
	assert.NoError(t, again.Seek(ctx, r.Position()))
	assert.Equal(t, []any{3, 4}, pull(again))
	assert.Equal(t, []any{3, 4}, pull(r))
	assert.NoError(t, r.Seek(ctx, nil))
	assert.Equal(t, []any{0, 1}, pull(r))

	assert.NoError(t, r.Seek(ctx, []byte("9")), "a row that is to come")
	assert.Empty(t, pull(r))
	assert.Equal(t, "9", string(r.Position()))
	for _, bad := range []string{"", "x", "-1", "1.5"} {
		assert.ErrorContains(t, r.Seek(ctx, []byte(bad)), fmt.Sprintf("orders: the position is %q, want the number of a row", bad))
	}

	ended, cancel := context.WithCancelCause(ctx)
	cancel(errBroken)
	_, err := r.Again().Pull(ended, record.Update{})
	assert.ErrorIs(t, err, errBroken)

	zero := new(testkit.Rows)
	zero.Add(1)
	zero.Payload = func(row int) any { return zero.Len() + row }
	records, err := zero.Pull(ctx, record.Update{})
	assert.NoError(t, err)
	assert.Equal(t, 1, records[0].Payload)
	assert.Equal(t, "rows/0", records[0].ID())
}
