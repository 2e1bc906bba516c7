package link_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// storedValue is the shape of what a link stores.
type storedValue struct {
	Link   string                 `json:"link"`
	Writer string                 `json:"writer"`
	Number int64                  `json:"number"`
	Due    int64                  `json:"due"`
	Inlets map[string]storedPoint `json:"inlets"`
}

type storedPoint struct {
	Type     string `json:"type"`
	Position []byte `json:"position"`
	From     int64  `json:"from"`
}

// stored returns what a link has stored, and the zero value if nothing is.
func stored(t *testing.T, store state.Store, key string) (s storedValue) {
	t.Helper()
	value, rev, err := store.Get(t.Context(), key)
	require.NoError(t, err)
	if rev == 0 {
		return s
	}
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&s), "%s", value)
	return s
}

// position returns the stored position of an inlet.
func position(t *testing.T, store state.Store, key, name string) string {
	t.Helper()
	return string(stored(t, store, key).Inlets[name].Position)
}

func TestCommitValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(vault)
		c := link.Config{Name: "l", State: store, Outlets: outlets(&taker{name: "out"})}
		odd := "odd \"name\" <é>"
		c.Inlets = inlets(counting(odd, 2, 10), feeding("plain", list(1)))
		l := started(t, c)
		start := time.Now()
		l.Transfer(t.Context(), link.Tick{Reason: record.Immediate})
		time.Sleep(time.Second)
		l.Transfer(t.Context(), link.Tick{Due: start.Add(time.Second), Reason: record.Scheduled})

		s := stored(t, store, "link/l")
		assert.NotEmpty(t, s.Writer)
		assert.Equal(t, int64(1), s.Number)
		assert.Equal(t, start.Add(time.Second).UnixNano(), s.Due)
		require.Len(t, s.Inlets, 2)
		assert.Equal(t, "4", string(s.Inlets[odd].Position))
		assert.Equal(t, start.Add(time.Second).UnixNano(), s.Inlets[odd].From)
		assert.Empty(t, s.Inlets["plain"].Position)
		assert.Equal(t, start.Add(time.Second).UnixNano(), s.Inlets["plain"].From)
		for _, value := range store.puts {
			assert.True(t, json.Valid([]byte(value)), value)
		}

		_, err := shut(t, l)
		require.NoError(t, err)
		writer := s.Writer
		require.NoError(t, l.Start(t.Context()))
		transferred(t, l)
		assert.NotEqual(t, writer, stored(t, store, "link/l").Writer, "every start has a writer of its own")
	})
}

// recorder is a resumable inlet that notes what it is set to.
type recorder struct {
	feed
	position []byte
	seeks    []string // nil is "nil"
	fails    error
}

func (r *recorder) Seek(_ context.Context, position []byte) error {
	if r.fails != nil {
		return r.fails
	}
	r.position = position
	if position == nil {
		r.seeks = append(r.seeks, "nil")
	} else {
		r.seeks = append(r.seeks, string(position))
	}
	return nil
}

func (r *recorder) Position() []byte { return r.position }

func (r *recorder) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	records, err := r.feed.Pull(ctx, u)
	if len(records) > 0 {
		r.position = fmt.Append(nil, records[len(records)-1].Payload)
	}
	return records, err
}

// Every pull goes on from what was read; only a start goes back to what was
// committed.
func TestReadAndCommitted(t *testing.T) {
	store, down := new(vault), true
	out := &taker{name: "out", script: func(context.Context, int, []record.Record) error {
		if down {
			return errDown
		}
		return nil
	}}
	in := &recorder{feed: feed{name: "in"}}
	in.script = func(context.Context, int) ([]record.Record, error) {
		var n int
		fmt.Sscan(string(in.position), &n)
		return of(n + 1), nil
	}
	l := started(t, link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(out), State: store})
	assert.Equal(t, []string{"nil"}, in.seeks, "at the first start")
	for range 3 {
		transfer(t, l)
	}
	assert.Equal(t, lists(list(1), list(1), list(1)), out.got(), "one offer a transfer")
	assert.Empty(t, store.puts)
	assert.Equal(t, "3", string(in.position))

	down = false
	transferred(t, l)
	assert.Equal(t, list(1, 2, 3, 4), out.accepted())
	assert.Equal(t, "4", position(t, store, "link/l", "in"))

	down = true
	transfer(t, l)
	r, _ := shut(t, l)
	assert.Equal(t, int64(1), r.Lanes[0].Abandoned)
	assert.Equal(t, int64(0), r.Lanes[0].Lost, "it will be pulled again")
	assert.Equal(t, "4", position(t, store, "link/l", "in"))

	down = false
	require.NoError(t, l.Start(t.Context()))
	assert.Equal(t, []string{"nil", "4"}, in.seeks)
	transferred(t, l)
	assert.Equal(t, values(1, 5), out.accepted())
}

// Numbers, dues and windows go on after a restart.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, start := new(vault), time.Now()
		run := func(number int64, from time.Time, due time.Time) int64 {
			in, out := &feed{name: "plain"}, &taker{name: "out"}
			l := started(t, link.Config{
				Name: "l", State: store, Inlets: inlets(counting("n", 1, 100), in), Outlets: outlets(out),
			})
			r := transferred(t, l)
			assert.Equal(t, number, r.Number)
			require.Len(t, in.all(), 1)
			time.Sleep(time.Minute)
			assert.True(t, in.all()[0].From.Equal(from), "%v", in.all()[0].From)
			assert.True(t, in.all()[0].Due.Equal(due))
			end, err := shut(t, l)
			require.NoError(t, err)
			assert.Equal(t, number+1, end.Number)
			assert.Equal(t, end.Number, stored(t, store, "link/l").Number, "Shutdown keeps the number")
			assert.Equal(t, due.UnixNano(), stored(t, store, "link/l").Due, "a due is that of a pull")
			return end.Number
		}
		last := run(0, time.Time{}, start)
		time.Sleep(time.Hour)
		last = run(last+1, start, start.Add(time.Hour+time.Minute))
		l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 100)), Outlets: outlets(&taker{})})
		r, err := l.Transfer(t.Context(), link.Tick{Due: start.Add(time.Hour + time.Minute), Reason: record.Scheduled})
		require.NoError(t, err)
		assert.Equal(t, link.Coalesced, r.Outcome, "the instant was covered before the restart")
		assert.Equal(t, last+1, transferred(t, l).Number)
	})
}

// A link with no inlet to resume has no store and goes on counting.
func TestNumbersWithoutState(t *testing.T) {
	l := started(t, link.Config{Inlets: inlets(&feed{name: "in"}), Outlets: outlets(&taker{name: "out"})})
	assert.Equal(t, int64(0), transferred(t, l).Number)
	end, err := shut(t, l)
	require.NoError(t, err)
	assert.Equal(t, int64(1), end.Number)
	require.NoError(t, l.Start(t.Context()))
	assert.Equal(t, int64(2), transferred(t, l).Number)
}

// With no State, positions are kept as long as the Link is used.
func TestPositionsWithoutState(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{Inlets: inlets(counting("n", 2, 100)), Outlets: outlets(out)})
	for want := range int64(3) {
		assert.Equal(t, 2*want, transferred(t, l).Number)
		_, err := shut(t, l)
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
	}
	assert.Equal(t, values(1, 6), out.accepted())
}

// The cursor passes nothing that some lane has not delivered, in whatever order
// lanes get there.
func TestCommitWaitsForAllLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(vault)
		fast := &taker{name: "fast"}
		slower := &taker{name: "slower", script: slow(2600 * time.Millisecond)}
		flaky := &taker{name: "flaky", script: func(_ context.Context, n int, _ []record.Record) error {
			if n < 3 {
				return errDown
			}
			return nil
		}}
		l := started(t, link.Config{
			Name: "l", State: store, Inlets: inlets(counting("n", 1, 4)), Outlets: outlets(fast, slower, flaky),
		})
		// flaky accepts 1 to 3 at 2 s, 4 at 3 s; slower is done with n at n · 2.6 s.
		want := []string{"", "", "", "1", "1", "1", "2", "2", "3"} // at 0 s, 1 s, …
		at := time.Now()
		for i, want := range want {
			go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			synctest.Wait()
			at = at.Add(time.Second)
			assert.Equal(t, want, position(t, store, "link/l", "n"), i)
			time.Sleep(time.Until(at))
		}
		time.Sleep(time.Minute)
		assert.Equal(t, values(1, 4), slower.accepted())
		assert.Equal(t, "4", position(t, store, "link/l", "n"))
	})
}

// Nothing is written if no position moved and nothing was delivered.
func TestNothingToCommit(t *testing.T) {
	store := new(vault)
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 2, 3)), Outlets: outlets(&taker{name: "out"})})
	for i, want := range []int{1, 2, 2, 2, 2} {
		transferred(t, l)
		assert.Len(t, store.puts, want, i)
	}
	_, err := shut(t, l)
	require.NoError(t, err)
	assert.Len(t, store.puts, 3, "the number is kept at the end")
	assert.Equal(t, int64(5), stored(t, store, "link/l").Number)
}

// Records that are filtered out move the position all the same.
func TestCommitOfFilteredRecords(t *testing.T) {
	store := new(vault)
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 2, 4)), Outlets: outlets(&taker{name: "out"}),
		Processors: []record.Processor{record.Filter(func(int) bool { return false })},
	})
	transferred(t, l)
	assert.Equal(t, "2", position(t, store, "link/l", "n"))
}

// A broker is told after the store, and told again if it failed.
func TestBrokers(t *testing.T) {
	store := new(vault)
	b := &broker{feed: *feeding("b", list(1, 2), list(3), list(), list(4))}
	var order []string
	store.put = func(_ int, do func() (int64, error)) (int64, error) {
		order = append(order, fmt.Sprint("store after ", len(b.committed)))
		return do()
	}
	out := &taker{name: "out"}
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(b), Outlets: outlets(out)})
	transferred(t, l)
	assert.Equal(t, []string{"@2"}, b.committed)
	assert.Equal(t, []string{"store after 0"}, order)

	b.failures = 1
	_, err := transfer(t, l)
	e := failure(t, err)
	assert.Equal(t, link.OpCommit, e.Op)
	assert.Equal(t, "b", e.Node)
	assert.Equal(t, int64(1), e.Number)
	assert.True(t, e.Kept)
	assert.False(t, e.Fatal(), "it is repeated")
	assert.Equal(t, "@3", position(t, store, "link/l", "b"), "the store has it")
	assert.Equal(t, []string{"@2"}, b.committed)

	transferred(t, l) // nothing is pulled: nothing is committed
	assert.Equal(t, []string{"@2"}, b.committed)
	transferred(t, l)
	assert.Equal(t, []string{"@2", "@4"}, b.committed, "a commit is of all before it")
	transferred(t, l)
	assert.Len(t, b.committed, 2)
}

// A broker is not told twice of what others have brought.
func TestBrokerIsToldOnce(t *testing.T) {
	b := &broker{feed: *feeding("b", list("x"), list(), list("y"))}
	l := started(t, link.Config{Inlets: inlets(b, counting("n", 1, 9)), Outlets: outlets(&taker{name: "out"})})
	for range 3 {
		transferred(t, l)
	}
	assert.Equal(t, []string{"@1", "@2"}, b.committed)
}

func TestBrokerIsToldAgainAtShutdown(t *testing.T) {
	b := &broker{feed: *feeding("b", list(1, 2)), failures: 1}
	l := started(t, link.Config{Inlets: inlets(b), Outlets: outlets(&taker{name: "out"})})
	_, err := transfer(t, l)
	require.Error(t, err)
	_, err = shut(t, l)
	require.NoError(t, err)
	assert.Equal(t, []string{"@2"}, b.committed)
}

func TestOnceReturnsABrokersFailure(t *testing.T) {
	b := &broker{feed: *feeding("b", list(1, 2)), failures: 9}
	l, err := link.New(link.Config{Inlets: inlets(b), Outlets: outlets(&taker{name: "out"})})
	require.NoError(t, err)
	_, err = l.Once(t.Context())
	require.Error(t, err)
	assert.Equal(t, link.OpCommit, failure(t, err).Op)
}
