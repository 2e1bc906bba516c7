package record_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
)

func batches(sizes ...int) (out [][]record.Record) {
	n := 0
	for _, size := range sizes {
		batch := []record.Record{}
		for range size {
			batch = append(batch, record.New(n))
			n++
		}
		out = append(out, batch)
	}
	return out
}

func shape(bs [][]record.Record) [][]any {
	var out [][]any
	for _, b := range bs {
		out = append(out, payloads(b))
	}
	return out
}

func TestBy(t *testing.T) {
	parity := func(n int) int { return n % 2 }
	for _, test := range []struct {
		name string
		by   record.Grouper
		in   [][]record.Record
		want [][]any
	}{
		{"keys in the order they appear", record.By(parity), [][]record.Record{of(1, 2, 4, 3)}, [][]any{{1, 3}, {2, 4}}},
		{"each batch by itself", record.By(parity), [][]record.Record{of(1, 2), of(3, 4, 6)}, [][]any{{1}, {2}, {3}, {4, 6}}},
		{"one group", record.By(func(int) string { return "" }), [][]record.Record{of(1, 2)}, [][]any{{1, 2}}},
		{"a key that equals no other", record.By(func(int) float64 { return math.NaN() }), [][]record.Record{of(1, 2)}, [][]any{{1}, {2}}},
		{"empty batches", record.By(parity), [][]record.Record{nil, of(1), {}}, [][]any{{1}}},
		{"nothing", record.By(parity), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.by.Group(t.Context(), test.in)
			require.NoError(t, err)
			assert.Equal(t, test.want, shape(got))
		})
	}
	t.Run("another type", func(t *testing.T) {
		got, err := record.By(parity).Group(t.Context(), [][]record.Record{of(1), of(2, "x")})
		assert.EqualError(t, err, "batch 1, record 1: payload is a string, want int")
		assert.True(t, record.IsPermanent(err))
		assert.Nil(t, got)
	})
}

func TestChunk(t *testing.T) {
	for _, test := range []struct {
		name string
		n    int
		in   [][]record.Record
		want [][]any
	}{
		{"a rest", 2, batches(5), [][]any{{0, 1}, {2, 3}, {4}}},
		{"no rest", 2, batches(4), [][]any{{0, 1}, {2, 3}}},
		{"one", 1, batches(2), [][]any{{0}, {1}}},
		{"larger than all", 9, batches(2), [][]any{{0, 1}}},
		{"as large as can be", math.MaxInt, batches(2, 3, 1), [][]any{{0, 1}, {2, 3, 4}, {5}}},
		{"each batch by itself", 2, batches(3, 0, 1), [][]any{{0, 1}, {2}, {3}}},
		{"nothing", 2, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := record.Chunk(test.n).Group(t.Context(), test.in)
			require.NoError(t, err)
			assert.Equal(t, test.want, shape(got))
			for _, b := range got {
				assert.Equal(t, len(b), cap(b), "nothing can be appended in place")
			}
		})
	}
}

// Groupers return every record once and keep the order within a group.
func FuzzGroupers(f *testing.F) {
	f.Add([]byte{1, 2, 0, 5}, 3, 2)
	f.Add([]byte{}, 1, 1)
	f.Add([]byte{200, 200}, math.MaxInt, 7)
	f.Fuzz(func(t *testing.T, sizes []byte, n, keys int) {
		if n < 1 || keys < 1 || len(sizes) > 50 {
			t.Skip()
		}
		var lens []int
		for _, s := range sizes {
			lens = append(lens, int(s))
		}
		in := batches(lens...)
		total := slices.Concat(in...)
		key := func(v int) int { return v % keys }

		grouped, err := record.By(key).Group(t.Context(), in)
		require.NoError(t, err)
		chunked, err := record.Chunk(n).Group(t.Context(), grouped)
		require.NoError(t, err)
		if got := slices.Concat(chunked...); !slices.Equal(got, slices.Concat(grouped...)) {
			t.Fatalf("chunks changed the records: %v", shape(chunked))
		}
		seen := make(map[any]bool)
		for _, b := range chunked {
			if len(b) == 0 || len(b) > n {
				t.Fatalf("a batch of %d", len(b))
			}
			last := -1
			for _, r := range b {
				v := r.Payload.(int)
				if seen[v] || v <= last || key(v) != key(b[0].Payload.(int)) {
					t.Fatalf("%d twice, out of order or in another's group: %v", v, shape(chunked))
				}
				seen[v], last = true, v
			}
		}
		if len(seen) != len(total) {
			t.Fatalf("%d of %d records", len(seen), len(total))
		}
	})
}
