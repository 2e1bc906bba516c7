package buffer_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

func never([]record.Record) (bool, error)  { return false, nil }
func always([]record.Record) (bool, error) { return true, nil }

func TestValidate(t *testing.T) {
	size := func(record.Record) int { return 1 }
	for _, test := range []struct {
		name string
		opts *buffer.Options
		want []string // each mistake; none: valid
	}{
		{"nil", nil, nil},
		{"zero", &buffer.Options{}, nil},
		{"all set", &buffer.Options{Count: 1, MaxBytes: 1, Size: size, MaxAge: 1, Controllers: []buffer.Controller{never}, All: true}, nil},
		{"count below 0", &buffer.Options{Count: -1}, []string{"buffer: Count is -1, want at least 1, or 0 for none"}},
		{"bytes below 0", &buffer.Options{MaxBytes: -2}, []string{"buffer: MaxBytes is -2, want at least 1, or 0 for none"}},
		{"age below 0", &buffer.Options{MaxAge: -time.Second}, []string{"buffer: MaxAge is -1s, want more than 0, or 0 for none"}},
		{"size without bytes", &buffer.Options{Size: size}, []string{"buffer: MaxBytes is 0, want at least 1 since Size is set"}},
		{"nil controller", &buffer.Options{Controllers: []buffer.Controller{never, nil}}, []string{"buffer: Controllers[1] is nil, want a function"}},
		{"several", &buffer.Options{Count: -1, MaxBytes: -1, MaxAge: -1, Controllers: []buffer.Controller{nil, nil}}, []string{
			"Count is -1", "MaxBytes is -1", "MaxAge is -1ns", "Controllers[0] is nil", "Controllers[1] is nil",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := buffer.New(test.opts)
			err := b.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Len(t, strings.Split(err.Error(), "\n"), len(test.want))
			for _, w := range test.want {
				assert.ErrorContains(t, err, w)
			}
			out, perr := b.Process(t.Context(), records(1, 1))
			assert.Equal(t, err, perr, "an unusable buffer takes nothing")
			assert.Nil(t, out)
			assert.Zero(t, b.Holding())
		})
	}
}

func TestString(t *testing.T) {
	for want, opts := range map[string]*buffer.Options{
		"buffer":                         nil,
		"buffer(count 1000 or age 1m0s)": {Count: 1000, MaxAge: time.Minute},
		"buffer(controller and controller and count 2 and bytes 3 and age 4s)": {
			Controllers: []buffer.Controller{never, never}, Count: 2, MaxBytes: 3, MaxAge: 4 * time.Second, All: true,
		},
	} {
		assert.Equal(t, want, buffer.New(opts).String())
	}
}

func TestOptionsAreCopied(t *testing.T) {
	opts := &buffer.Options{Controllers: []buffer.Controller{never}}
	b := buffer.New(opts)
	opts.Controllers[0] = always
	opts.Count = 1
	assert.Nil(t, process(t, b, records(1, 1)...))
}

func TestZeroBufferPasses(t *testing.T) {
	var b buffer.Buffer
	require.NoError(t, b.Validate())
	in := records(1, 3)
	out, err := b.Process(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, in, out)
	assert.Same(t, &in[0], &out[0], "nothing is copied")
	assert.Zero(t, b.Holding())
}

func TestCount(t *testing.T) {
	for _, test := range []struct {
		name     string
		given    [][2]int // first and last of each call
		released [][]any
	}{
		{"below", [][2]int{{1, 2}, {3, 3}}, [][]any{nil, nil}},
		{"reached", [][2]int{{1, 2}, {3, 4}}, [][]any{nil, ints(1, 4)}},
		{"passed", [][2]int{{1, 3}, {4, 7}}, [][]any{nil, ints(1, 7)}},
		{"at once", [][2]int{{1, 9}}, [][]any{ints(1, 9)}},
		{"again", [][2]int{{1, 4}, {5, 5}, {6, 8}, {9, 10}}, [][]any{ints(1, 4), nil, ints(5, 8), nil}},
		{"calls with nothing", [][2]int{{1, 0}, {1, 3}, {4, 3}, {4, 4}}, [][]any{nil, nil, nil, ints(1, 4)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := buffer.New(&buffer.Options{Count: 4})
			for i, g := range test.given {
				assert.Equal(t, test.released[i], process(t, b, records(g[0], g[1])...), "call %d", i)
			}
		})
	}
}

type text string

func TestMaxBytes(t *testing.T) {
	runes := func(r record.Record) int { return 10 * len(r.Payload.([]int)) }
	for _, test := range []struct {
		name     string
		size     func(record.Record) int
		payloads []any
		held     []int // after each
	}{
		{"strings", nil, []any{"12345", "6789", "0"}, []int{1, 2, 0}},
		{"bytes", nil, []any{[]byte("12345"), json.RawMessage("6789"), text("0")}, []int{1, 2, 0}},
		{"passed", nil, []any{"12345", "6789 and more"}, []int{1, 0}},
		{"empty ones", nil, []any{"", []byte(nil), "1234567890"}, []int{1, 2, 0}},
		{"size", runes, []any{[]int{}, []int{1}}, []int{1, 0}},
		{"overflow", func(record.Record) int { return math.MaxInt }, []any{1}, []int{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := buffer.New(&buffer.Options{MaxBytes: 10, Size: test.size})
			for i, p := range test.payloads {
				process(t, b, record.New(p))
				assert.Equal(t, test.held[i], b.Holding().Records, "after %d", i)
			}
		})
	}
	t.Run("a sum beyond int", func(t *testing.T) {
		b := buffer.New(&buffer.Options{MaxBytes: math.MaxInt, Size: func(record.Record) int { return math.MaxInt - 1 }})
		assert.Nil(t, process(t, b, record.New(1)))
		assert.Equal(t, ints(1, 2), process(t, b, record.New(2)))
	})
	t.Run("starts anew", func(t *testing.T) {
		b := buffer.New(&buffer.Options{MaxBytes: 10})
		process(t, b, record.New("1234567890"))
		assert.Nil(t, process(t, b, record.New("123456789")))
	})
}

func TestControllersSeeWhatIsHeld(t *testing.T) {
	var seen [][]any
	var caps []int
	b := buffer.New(&buffer.Options{Count: 3, Controllers: []buffer.Controller{
		func(held []record.Record) (bool, error) {
			seen = append(seen, payloads(held))
			caps = append(caps, cap(held)-len(held))
			return false, nil
		},
	}})
	process(t, b)
	process(t, b, records(1, 1)...)
	process(t, b)
	process(t, b, records(2, 2)...)
	assert.Equal(t, ints(1, 4), process(t, b, records(3, 4)...))
	process(t, b)
	assert.Equal(t, [][]any{ints(1, 1), ints(1, 1), ints(1, 2), ints(1, 4)}, seen, "never asked about nothing")
	assert.Equal(t, []int{0, 0, 0, 0}, caps, "nothing can be appended in place")
}

func TestGivenSliceIsNotKept(t *testing.T) {
	b := buffer.New(&buffer.Options{Count: 4})
	given := records(1, 2)
	process(t, b, given...)
	out, err := b.Process(t.Context(), given)
	require.NoError(t, err)
	clear(given)
	assert.Equal(t, []any{1, 2, 1, 2}, payloads(out))

	given = records(1, 2)
	_, err = b.Process(t.Context(), given)
	require.NoError(t, err)
	clear(given)
	out, err = b.Process(t.Context(), records(3, 4))
	require.NoError(t, err)
	assert.Equal(t, ints(1, 4), payloads(out))
}

func TestReleasedSliceIsGivenAway(t *testing.T) {
	b := buffer.New(&buffer.Options{Count: 2})
	process(t, b, records(1, 1)...)
	out, err := b.Process(t.Context(), records(2, 2))
	require.NoError(t, err)
	process(t, b, records(3, 3)...)
	_ = append(out, records(8, 9)...)
	assert.Equal(t, ints(1, 2), payloads(out))
	assert.Equal(t, ints(3, 4), process(t, b, records(4, 4)...))
}

func TestRecordsKeepWhatTheyAre(t *testing.T) {
	key := record.NewKey[string]("test.key")
	r := record.New(1, key.Of("x")).WithID("id")
	b := buffer.New(&buffer.Options{Count: 2})
	process(t, b, r)
	out, err := b.Process(t.Context(), []record.Record{r})
	require.NoError(t, err)
	assert.Equal(t, []record.Record{r, r}, out)
}
