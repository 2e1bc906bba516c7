package link_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// What becomes of a commit whose answer is not a plain success.
func TestStoreAnswers(t *testing.T) {
	lost := errors.New("connection lost")
	type call = func(n int, do func() (int64, error)) (int64, error)
	first := func(f call) call {
		return func(n int, do func() (int64, error)) (int64, error) {
			if n == 1 {
				return f(n, do)
			}
			return do()
		}
	}
	tests := map[string]struct {
		put  call
		get  func(n int, do func() ([]byte, int64, error)) ([]byte, int64, error)
		puts int  // tries, of the first transfer
		fail bool // the first transfer
	}{
		"lost, not written":     {first(func(int, func() (int64, error)) (int64, error) { return 0, lost }), nil, 2, false},
		"lost, written":         {first(func(_ int, do func() (int64, error)) (int64, error) { do(); return 0, lost }), nil, 1, false},
		"written, and conflict": {first(func(_ int, do func() (int64, error)) (int64, error) { do(); return 0, state.ErrConflict }), nil, 1, false},
		"lost, read-back fails": {
			first(func(_ int, do func() (int64, error)) (int64, error) { do(); return 0, lost }),
			func(n int, do func() ([]byte, int64, error)) ([]byte, int64, error) {
				if n == 2 { // the first is of the start
					return nil, 0, errDown
				}
				return do()
			}, 1, true,
		},
		"always down": {func(n int, do func() (int64, error)) (int64, error) {
			if n <= 3 {
				return 0, lost
			}
			return do()
		}, nil, 3, true},
		"panics": {first(func(int, func() (int64, error)) (int64, error) { panic(lost) }), nil, 1, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store, out := &vault{put: tt.put, get: tt.get}, &taker{name: "out"}
			l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out)})
			_, err := transfer(t, l)
			assert.Len(t, store.puts, tt.puts)
			if tt.fail {
				e := failure(t, err)
				assert.Equal(t, link.OpState, e.Op)
				assert.Equal(t, "link/l", e.Node)
				assert.ErrorIs(t, err, lost)
				assert.True(t, e.Fatal())
				assert.NotErrorIs(t, err, link.ErrFenced)
			} else {
				require.NoError(t, err)
				assert.Equal(t, "1", position(t, store, "link/l", "n"))
			}
			transferred(t, l)
			assert.Equal(t, "2", position(t, store, "link/l", "n"), "what failed is made good by the next")
			assert.Equal(t, list(1, 2), out.accepted(), "nothing is delivered twice")
		})
	}
}

// Goexit in the store ends the goroutine, not the link.
func TestStoreGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, out := &vault{put: func(n int, do func() (int64, error)) (int64, error) {
			if n == 1 {
				runtime.Goexit()
			}
			return do()
		}}, &taker{name: "out"}
		l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out)})
		go l.Transfer(t.Context(), link.Tick{})
		synctest.Wait()
		transferred(t, l)
		assert.Equal(t, list(1, 2), out.accepted())
		assert.Equal(t, "2", position(t, store, "link/l", "n"))
	})
}

// Another writer ends the link's deliveries.
func TestFenced(t *testing.T) {
	store := new(vault)
	h := new(host)
	writer := func() (*link.Link, *taker) {
		out := &taker{name: "out"}
		l, err := link.New(link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(1)}})
		require.NoError(t, err)
		return l, out
	}
	mine, out := writer()
	require.NoError(t, mine.Attach(h, new(link.Nodes)))
	require.NoError(t, mine.Start(t.Context()))
	transferred(t, mine)

	theirs, other := writer()
	require.NoError(t, theirs.Start(t.Context()))
	transferred(t, theirs)
	assert.Equal(t, list(2), other.accepted())

	_, err := transfer(t, mine)
	require.ErrorIs(t, err, link.ErrFenced)
	e := failure(t, err)
	assert.Equal(t, link.OpState, e.Op)
	assert.True(t, e.Fatal())
	assert.ErrorContains(t, err, "link/l")
	assert.Len(t, h.failed, 1)
	assert.Equal(t, list(1, 2), out.accepted(), "it could not know")

	for range 2 {
		r, err := mine.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		require.ErrorIs(t, err, link.ErrFenced)
		assert.Equal(t, link.Failed, r.Outcome)
		assert.Equal(t, int64(-1), r.Number)
	}
	assert.Equal(t, list(1, 2), out.accepted(), "nothing more is delivered")
	last := stored(t, store, "link/l").Writer
	_, err = shut(t, mine)
	require.NoError(t, err)
	assert.Equal(t, last, stored(t, store, "link/l").Writer, "nothing is written")
	_, err = shut(t, theirs)
	require.NoError(t, err)

	require.NoError(t, mine.Start(t.Context()), "a start takes over")
	transferred(t, mine)
	assert.Equal(t, list(1, 2, 3), out.accepted())
	_, err = shut(t, mine)
	require.NoError(t, err)
}

// A lane that is behind when the link is fenced delivers nothing more.
func TestFencedLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(vault)
		fast, slower := &taker{name: "fast"}, &taker{name: "slower", script: slow(10 * time.Second)}
		l := started(t, link.Config{
			Name: "l", State: store, Inlets: inlets(counting("n", 1, 99)), Outlets: outlets(fast, slower),
		})
		for range 3 {
			go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			time.Sleep(time.Second)
		}
		_, rev, _ := store.Get(t.Context(), "link/l")
		_, err := store.Memory.Put(t.Context(), "link/l", []byte(`{"writer":"other","number":7,"due":946684800000000000,"inlets":{}}`), rev)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		assert.Equal(t, list(1, 2, 3), fast.accepted())
		assert.Equal(t, list(1), slower.accepted())
		r, _ := shut(t, l)
		assert.Equal(t, int64(2), r.Lanes[1].Abandoned)
	})
}

// What is not a link's value stops the start; what is of other inlets is kept.
func TestStoredValues(t *testing.T) {
	for _, value := range []string{"", "garbage", "null", "{}", "[]", "42", `{"writer":7}`, `{"number":3}`,
		`{"writer":"w","number":-2,"due":946684800000000000,"inlets":{}}`,
		`{"writer":"w","number":2,"due":"yesterday","inlets":{}}`,
		`{"writer":"w","number":2,"due":946684800000000000,"inlets":{"n":{"position":"?"}}}`} {
		store := new(vault)
		_, err := store.Put(t.Context(), "link/l", []byte(value), 0)
		require.NoError(t, err)
		l, err := link.New(link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(&taker{})})
		require.NoError(t, err)
		err = l.Start(t.Context())
		if assert.Error(t, err, value) {
			assert.Equal(t, link.OpState, failure(t, err).Op)
			assert.ErrorContains(t, err, `"link/l"`, value)
		}
	}

	store := new(vault)
	c := link.Config{Name: "l", State: store, Inlets: inlets(counting("b", 1, 9), counting("a", 2, 9)), Outlets: outlets(&taker{})}
	for i, in := range []inlet.Inlet{counting("b", 1, 9), counting("a", 2, 9), counting("b", 1, 9)} {
		c.Inlets = inlets(in)
		l := started(t, c)
		transferred(t, l)
		_, err := shut(t, l)
		require.NoError(t, err)
		assert.Equal(t, []string{"1", "1", "2"}[i], position(t, store, "link/l", "b"), i)
	}
	assert.Equal(t, "2", position(t, store, "link/l", "a"))
}

func TestStartReadsTheStore(t *testing.T) {
	store := &vault{get: func(int, func() ([]byte, int64, error)) ([]byte, int64, error) { return nil, 0, errDown }}
	l, err := link.New(link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(&taker{})})
	require.NoError(t, err)
	err = l.Start(t.Context())
	require.ErrorIs(t, err, errDown)
	assert.Equal(t, link.OpState, failure(t, err).Op)
	assert.ErrorContains(t, err, "link/l")

	in := &recorder{feed: feed{name: "in"}, fails: errDown}
	l, err = link.New(link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(&taker{})})
	require.NoError(t, err)
	err = l.Start(t.Context())
	require.ErrorIs(t, err, errDown)
	assert.Equal(t, link.OpSeek, failure(t, err).Op)
	assert.Equal(t, "in", failure(t, err).Node)
	in.fails = nil
	require.NoError(t, l.Start(t.Context()), "a failed start leaves nothing behind")
	_, err = shut(t, l)
	require.NoError(t, err)
}

// A link does not go on from what another link, or an inlet of another type, has
// stored. What is stored stays as it is.
func TestStoredByAnother(t *testing.T) {
	t.Parallel()
	run := func(store state.Store, name string, in inlet.Inlet) error {
		l, err := link.New(link.Config{Name: name, State: store, Inlets: inlets(in), Outlets: outlets(&taker{name: "out"})})
		require.NoError(t, err)
		_, err = l.Once(t.Context())
		return err
	}
	byText := func() inlet.Inlet {
		return inlet.Since("orders", func(context.Context, string) ([]int, string, error) { return []int{1}, "a", nil })
	}
	store := new(state.Memory)
	require.NoError(t, run(store, "a", counting("orders", 2, 10)))
	value, _, err := store.Get(t.Context(), "link/a")
	require.NoError(t, err)

	err = run(store, "a", byText())
	require.ErrorContains(t, err, `"link/a" holds for the inlet "orders" the position of a Since of int, want one of a Since of string`)
	err = run(store, "a", &tape{pump: pump{life: life{name: "orders"}}, values: values(1, 9), per: 2})
	require.ErrorContains(t, err, `the position of a Since of int, want one of a *link_test.tape`)

	_, err = store.Put(t.Context(), "link/b", value, 0)
	require.NoError(t, err)
	err = run(store, "b", counting("orders", 2, 10))
	require.ErrorContains(t, err, `the value of "link/b" is one of the link "a", want one of the link "b"`)

	left, _, err := store.Get(t.Context(), "link/a")
	require.NoError(t, err)
	assert.Equal(t, string(value), string(left))
	require.NoError(t, run(store, "a", counting("orders", 3, 10)))

	// Values of another type, and the same cursor.
	other := inlet.Since("orders", func(_ context.Context, after int) ([]string, int, error) {
		assert.Positive(t, after)
		return nil, after, nil
	})
	require.NoError(t, run(store, "a", other))
}

// A value is read with space between its tokens and its members in any order, as an
// editor may leave it, and refused as a whole if it is anything else.
func TestStoredForms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ value, err string }{
		"as written":     {`{"link":"l","writer":"w","number":4,"due":1767323045600000000,"inlets":{"in":{"type":"Since of int","position":"NQ==","from":1767323045000000000}}}`, ""},
		"by an editor":   {"{\n \"inlets\" : { \"in\" : { \"position\" : \"NQ==\" } , \"gone\" : { } } , \"number\" : 4 , \"writer\" : \"w\" , \"link\" : \"l\" }\n", ""},
		"escaped":        {`{"link":"\u006c","writer":"\"\\\n","number":4,"inlets":{"in":{"position":"NQ=="}}}`, ""},
		"empty":          {"", `want { before ""`},
		"no object":      {"17", `want { before "17"`},
		"cut off":        {`{"link":"l","writer":"w","number":4,"inlets":{"in":{"position":"NQ`, "want a string"},
		"more":           {`{"link":"l","writer":"w","number":4} {}`, "more behind"},
		"comma":          {`{"link":"l","writer":"w","number":4,}`, "want a string"},
		"no link":        {`{"writer":"w","number":4}`, `link is ""`},
		"no writer":      {`{"link":"l","number":4}`, `writer is ""`},
		"negative":       {`{"link":"l","writer":"w","number":-4}`, "number is -4"},
		"no number":      {`{"link":"l","writer":"w","number":"4"}`, "invalid syntax"},
		"control":        {"{\"link\":\"l\tm\"}", "control character"},
		"too large":      {`{"link":"l","writer":"w","number":99999999999999999999}`, "out of range"},
		"no time":        {`{"link":"l","writer":"w","number":4,"due":"today"}`, "invalid syntax"},
		"zeros":          {`{"link":"l","writer":"w","number":4,"due":007}`, "want 7 for 007"},
		"no base64":      {`{"link":"l","writer":"w","number":4,"inlets":{"in":{"position":"%"}}}`, "position"},
		"member":         {`{"link":"l","writer":"w","number":4,"other":1}`, `"other"`},
		"inlet's member": {`{"link":"l","writer":"w","number":4,"inlets":{"in":{"other":1}}}`, `"other"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := new(state.Memory)
			_, err := store.Put(t.Context(), "link/l", []byte(test.value), 0)
			require.NoError(t, err)
			sink := new(testkit.Sink)
			l, err := link.New(link.Config{Name: "l", State: store, Inlets: inlets(counting("in", 2, 10)), Outlets: outlets(sink)})
			require.NoError(t, err)
			report, err := l.Once(t.Context())
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				require.ErrorContains(t, err, `"link/l" is not one of a link`)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []any{6, 7}, sink.Payloads())
			assert.EqualValues(t, 5, report.Number)
		})
	}
}

// Whatever a store holds, a link starts or says that it is not its own.
func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"link":"l","writer":"w","number":4,"due":1767323045600000000,"inlets":{"in":{"type":"Since of int","position":"NQ==","from":1767323045000000000}}}`))
	f.Add([]byte(`{"inlets":{},"number":0}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		store := new(state.Memory)
		_, err := store.Put(t.Context(), "link/l", value, 0)
		require.NoError(t, err)
		l, err := link.New(link.Config{Name: "l", State: store, Inlets: inlets(counting("in", 2, 10)), Outlets: outlets(&taker{name: "out"})})
		require.NoError(t, err)
		if err := l.Start(t.Context()); err != nil {
			var e *link.Error
			require.ErrorAs(t, err, &e)
			return
		}
		require.True(t, json.Valid(value) || bytes.Contains(value, []byte(`\`)), "%q is no JSON", value)
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
	})
}
