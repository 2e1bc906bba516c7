package record_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
)

func partial(failed map[int]error) *record.Partial { return &record.Partial{Failed: failed} }

func TestPartial(t *testing.T) {
	for _, test := range []struct {
		name    string
		failed  map[int]error
		indices []int
		text    string
	}{
		{"none", nil, nil, "0 failed"},
		{"one", map[int]error{4: errBroken}, []int{4}, "1 failed: record 4: broken"},
		{"three, in order", map[int]error{9: io.EOF, 0: errBroken, 10: errBroken}, []int{0, 9, 10},
			"3 failed: record 0: broken; record 9: EOF; record 10: broken"},
		{"more", map[int]error{1: errBroken, 2: errBroken, 3: io.EOF, 4: errBroken, 5: errBroken}, []int{1, 2, 3, 4, 5},
			"5 failed: record 1: broken; record 2: broken; record 3: EOF; and 2 more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := partial(test.failed)
			assert.Equal(t, test.indices, p.Indices())
			assert.EqualError(t, p, test.text)
			causes := p.Unwrap()
			require.Len(t, causes, len(test.indices))
			for n, i := range test.indices {
				assert.Equal(t, test.failed[i], causes[n])
				assert.ErrorIs(t, p, test.failed[i])
			}
			assert.NotErrorIs(t, p, io.ErrClosedPipe)
		})
	}
}

func TestPartialCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		failed map[int]error
		want   string
	}{
		{"all", map[int]error{0: errBroken, 1: errBroken, 2: errBroken}, ""},
		{"some", map[int]error{2: errBroken}, ""},
		{"none", nil, "a Partial without an index, want those of the failed records"},
		{"beyond", map[int]error{0: errBroken, 3: errBroken}, "a Partial with the index 3, want 0 to 2"},
		{"below", map[int]error{-1: errBroken}, "a Partial with the index -1, want 0 to 2"},
		{"nil cause", map[int]error{1: nil}, "a Partial with a nil error at the index 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := partial(test.failed).Check(3)
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.want)
			}
		})
	}
}

func TestAsPartial(t *testing.T) {
	p := partial(map[int]error{1: errBroken})
	for _, test := range []struct {
		name string
		err  error
		want *record.Partial
	}{
		{"nil", nil, nil},
		{"another", errBroken, nil},
		{"itself", p, p},
		{"wrapped", fmt.Errorf("insert: %w", p), p},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", p)), p},
		{"permanent", record.Permanent(p), p},
		{"retry after", record.RetryAfter(time.Second, p), p},
		{"joined", errors.Join(p, errBroken), nil},
		{"joined alone", errors.Join(p), nil},
		{"two wrapped", fmt.Errorf("%w and %w", p, errBroken), nil},
		{"inside of another", partial(map[int]error{0: p}), partial(map[int]error{0: p})},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, record.AsPartial(test.err))
		})
	}
}

func TestFailures(t *testing.T) {
	var f record.Failures
	require.NoError(t, f.Err())
	assert.True(t, f.Err() == nil, "no typed nil")
	f.Add(3, nil)
	require.NoError(t, f.Err())
	assert.False(t, f.Has(3))

	f.Add(5, errBroken)
	f.Add(2, io.EOF)
	f.Add(5, io.EOF)
	f.Add(2, nil)
	assert.True(t, f.Has(2))
	assert.True(t, f.Has(5))
	assert.False(t, f.Has(3))
	err := f.Err()
	assert.Equal(t, partial(map[int]error{5: errBroken, 2: io.EOF}), err)
	f.Add(6, errBroken)
	assert.Equal(t, []int{2, 5}, record.AsPartial(err).Indices(), "an error does not change")
}

func TestMarks(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("outer: %w", err) }
	for _, test := range []struct {
		name      string
		err       error
		permanent bool
		after     time.Duration
		text      string
	}{
		{"none", errBroken, false, 0, "broken"},
		{"permanent", record.Permanent(errBroken), true, 0, "broken"},
		{"permanent, wrapped", wrapped(wrapped(record.Permanent(errBroken))), true, 0, "outer: outer: broken"},
		{"permanent, joined", errors.Join(io.EOF, record.Permanent(errBroken)), true, 0, "EOF\nbroken"},
		{"permanent, in a partial", partial(map[int]error{1: io.EOF, 2: record.Permanent(errBroken)}), true, 0,
			"2 failed: record 1: EOF; record 2: broken"},
		{"retry after", record.RetryAfter(time.Minute, errBroken), false, time.Minute, "broken (retry after 1m0s)"},
		{"retry after, wrapped", wrapped(record.RetryAfter(time.Minute, errBroken)), false, time.Minute, "outer: broken (retry after 1m0s)"},
		{"both", record.Permanent(wrapped(record.RetryAfter(time.Minute, errBroken))), true, time.Minute, "outer: broken (retry after 1m0s)"},
		{"both the other way", record.RetryAfter(time.Minute, record.Permanent(errBroken)), true, time.Minute, "broken (retry after 1m0s)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.EqualError(t, test.err, test.text)
			assert.ErrorIs(t, test.err, errBroken)
			assert.Equal(t, test.permanent, record.IsPermanent(test.err))
			var r *record.RetryAfterError
			if errors.As(test.err, &r) {
				assert.Equal(t, test.after, r.After)
			} else {
				assert.Zero(t, test.after)
			}
		})
	}
	assert.True(t, record.Permanent(nil) == nil)
	assert.True(t, record.RetryAfter(time.Second, nil) == nil)
	assert.False(t, record.IsPermanent(nil))
}

func TestIndicesAscend(t *testing.T) {
	for n := range 300 {
		failed := make(map[int]error)
		for range n {
			failed[rand.IntN(1000)-100] = errors.New("no")
		}
		assert.Equal(t, slices.Sorted(maps.Keys(failed)), slices.Clip((&record.Partial{Failed: failed}).Indices()), n)
	}
}
