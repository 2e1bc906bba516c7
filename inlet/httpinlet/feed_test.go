package httpinlet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// events is a feed of the numbers from 1 to last, two a page. What comes after a cursor
// is what is greater; the cursor of a page is its last number.
type events struct {
	mu    sync.Mutex
	last  int
	asked []string
	fail  map[string]int // the status of a cursor
}

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	cursor := r.URL.Query().Get("after")
	e.asked = append(e.asked, cursor)
	if status := e.fail[cursor]; status > 0 {
		w.WriteHeader(status)
		return
	}
	after, _ := strconv.Atoi(cursor)
	var items []string
	for i := after + 1; i <= min(after+2, e.last); i++ {
		items = append(items, strconv.Itoa(i))
		cursor = strconv.Itoa(i)
	}
	fmt.Fprintf(w, `{"items":[%s],"next":%q}`, strings.Join(items, ","), cursor)
}

func (e *events) grow(last int) { e.mu.Lock(); e.last = last; e.mu.Unlock() }

func (e *events) requests() (asked []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	asked, e.asked = e.asked, nil
	return asked
}

// resumable is what NewFeed and NewConditional return.
type resumable interface {
	inlet.Inlet
	inlet.Positioner
	inlet.Seeker
}

func feed(t *testing.T, url string, opts *httpinlet.Options) resumable {
	t.Helper()
	o := once(opts)
	o.Decode = httpinlet.JSONField[int]("items")
	in, ok := httpinlet.NewFeed(url, "after", httpinlet.Field("next"), o).(resumable)
	require.True(t, ok)
	start(t, in)
	return in
}

func TestFeed(t *testing.T) {
	t.Parallel()
	source := &events{last: 5}
	address := serve(t, source.ServeHTTP)
	in := feed(t, address, nil)
	require.NoError(t, in.Seek(t.Context(), nil))
	assert.Nil(t, in.Position())
	step := func(asked []string, position string, want ...any) {
		t.Helper()
		got, err := pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, asked, source.requests())
		assert.Equal(t, position, string(in.Position()))
	}
	step([]string{"", "2", "4", "5"}, `{"cursor":"5"}`, 1, 2, 3, 4, 5)
	step([]string{"5"}, `{"cursor":"5"}`)
	source.grow(6)
	step([]string{"5", "6"}, `{"cursor":"6"}`, 6)

	in = feed(t, address+"/?after=1", &httpinlet.Options{MaxPages: 2})
	require.NoError(t, in.Seek(t.Context(), nil))
	step([]string{"1", "3"}, `{"cursor":"5"}`, 2, 3, 4, 5)
	step([]string{"5", "6"}, `{"cursor":"6"}`, 6)
	require.NoError(t, in.Seek(t.Context(), []byte(`{"cursor":"4"}`)))
	step([]string{"4", "6"}, `{"cursor":"6"}`, 5, 6)
}

func TestFeedThatFails(t *testing.T) {
	t.Parallel()
	source := &events{last: 9, fail: map[string]int{"4": 503}}
	in := feed(t, serve(t, source.ServeHTTP), nil)
	got, err := pull(t.Context(), in)
	require.ErrorContains(t, err, "page 3: status 503")
	assert.Equal(t, []any{1, 2, 3, 4}, got, "what came before the failure")
	assert.Equal(t, `{"cursor":"4"}`, string(in.Position()))
	got, err = pull(t.Context(), in)
	require.ErrorContains(t, err, "status 503")
	assert.Empty(t, got)
	assert.Equal(t, `{"cursor":"4"}`, string(in.Position()))
	source.fail = nil
	got, err = pull(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, []any{5, 6, 7, 8, 9}, got)

	for body, want := range map[string]string{
		`{"items":[1]}`:              "the page has 1 records and no new cursor",
		`{"items":[1],"next":""}`:    "the page has 1 records and no new cursor",
		`{"items":[1,2],"next":"7"}`: "the page has 2 records and no new cursor",
		`{"items":[1],"next":true}`:  `cannot find the next page: the field "next" is neither`,
		`{"items":1,"next":[]}`:      "cannot find the next page",
		`{"items":[`:                 "cannot decode the body",
	} {
		in := feed(t, serve(t, answer(200, body)), nil)
		require.NoError(t, in.Seek(t.Context(), []byte(`{"cursor":"7"}`)))
		got, err := pull(t.Context(), in)
		require.ErrorContains(t, err, want, body)
		assert.Empty(t, got)
		assert.Equal(t, `{"cursor":"7"}`, string(in.Position()))
	}
	in = feed(t, serve(t, answer(200, `{"items":[]}`)), nil)
	got, err = pull(t.Context(), in)
	require.NoError(t, err, "nothing yet")
	assert.Empty(t, got)
	assert.Nil(t, in.Position())

	for _, garbage := range []string{"", "x", "{}", `{"cursor":1}`, `{"cursor":""}`, `"5"`, `[]`} {
		require.ErrorContains(t, in.Seek(t.Context(), []byte(garbage)), "has no cursor of a feed", garbage)
	}
}

// Of a pull that panics nobody has the records: they are pulled again.
func TestFeedThatPanics(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"decode", "find"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			broken := true
			panics := func(here string, body []byte) {
				if broken && here == where && strings.Contains(string(body), "3") {
					panic("oh")
				}
			}
			decode := func(body []byte) ([]record.Record, error) {
				panics("decode", body)
				return httpinlet.JSONField[int]("items")(body)
			}
			find := func(p httpinlet.Page) (string, error) {
				panics("find", p.Body)
				return httpinlet.Field("next")(p)
			}
			source := &events{last: 3}
			in := httpinlet.NewFeed(serve(t, source.ServeHTTP), "after", find, once(&httpinlet.Options{Decode: decode}))
			start(t, in)
			require.PanicsWithValue(t, "oh", func() { _, _ = pull(t.Context(), in) })
			assert.Nil(t, in.(resumable).Position())
			broken = false
			got, err := pull(t.Context(), in)
			require.NoError(t, err)
			assert.Equal(t, []any{1, 2, 3}, got)
		})
	}
}

// Whatever is in a cursor arrives as it was, and is not shown.
func TestFeedCursorIsEscaped(t *testing.T) {
	t.Parallel()
	const cursor = "c0nfidential&x=1/ü +"
	n := 0
	in := feed(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			fmt.Fprintf(w, `{"items":[1],"next":%q}`, cursor)
			return
		}
		assert.Equal(t, cursor, r.URL.Query().Get("after"))
		http.Error(w, "bad cursor "+r.URL.RawQuery+" "+cursor, http.StatusBadRequest)
	}), nil)
	got, err := pull(t.Context(), in)
	require.ErrorContains(t, err, "page 2: status 400")
	assert.NotContains(t, err.Error(), "c0nfidential")
	assert.Equal(t, []any{1}, got)
}

// A program that is restarted goes on after what was delivered, and no further.
func TestFeedOverRestarts(t *testing.T) {
	t.Parallel()
	source := &events{last: 4}
	address := serve(t, source.ServeHTTP)
	store := new(state.Memory)
	run := func(sink *testkit.Sink, fault testkit.Fault) error {
		l, err := link.New(link.Config{
			Name:    "events",
			Inlets:  []inlet.Inlet{httpinlet.NewFeed(address, "after", httpinlet.Field("next"), &httpinlet.Options{Decode: httpinlet.JSONField[int]("items")})},
			Outlets: outlets(sink, fault),
			State:   store,
		})
		require.NoError(t, err)
		_, err = l.Once(t.Context())
		return err
	}
	var all testkit.Sink
	require.NoError(t, run(&all, nil))
	source.grow(7)
	var lost testkit.Sink
	require.Error(t, run(&lost, testkit.Fail(errors.New("down"))), "pulled, not delivered")
	require.NoError(t, run(&all, nil))
	require.NoError(t, run(&all, nil))
	assert.Equal(t, []any{1, 2, 3, 4, 5, 6, 7}, all.Payloads())
	assert.Equal(t, []string{"", "2", "4", "4", "6", "7", "4", "6", "7", "7"}, source.requests())
}

// A feed that has been told to stop between two pages delivers what it has.
func TestFeedEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	source := &events{last: 9}
	in := feed(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "4" {
			cancel()
			<-r.Context().Done()
			return
		}
		source.ServeHTTP(w, r)
	}), &httpinlet.Options{Timeout: -1})
	got, err := pull(ctx, in)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []any{1, 2, 3, 4}, got)
	assert.Equal(t, `{"cursor":"4"}`, string(in.Position()))
}
