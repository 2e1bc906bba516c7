package link_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// storedValue is the documented shape of what a link stores.
type storedValue struct {
	Writer string                 `json:"writer"`
	Number int64                  `json:"number"`
	Due    time.Time              `json:"due"`
	Inlets map[string]storedPoint `json:"inlets"`
}

type storedPoint struct {
	Position []byte    `json:"position"`
	From     time.Time `json:"from"`
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
		assert.True(t, s.Due.Equal(start.Add(time.Second)))
		require.Len(t, s.Inlets, 2)
		assert.Equal(t, "4", string(s.Inlets[odd].Position))
		assert.True(t, s.Inlets[odd].From.Equal(start.Add(time.Second)))
		assert.Empty(t, s.Inlets["plain"].Position)
		assert.True(t, s.Inlets["plain"].From.Equal(start.Add(time.Second)))
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
			assert.True(t, in.all()[0].From.Equal(from), "%v", in.all()[0].From)
			assert.True(t, in.all()[0].Due.Equal(due))
			end, err := shut(t, l)
			require.NoError(t, err)
			assert.Equal(t, number+1, end.Number)
			assert.Equal(t, end.Number, stored(t, store, "link/l").Number, "Shutdown keeps the number")
			assert.True(t, stored(t, store, "link/l").Due.Equal(due), "a due is that of a pull")
			return end.Number
		}
		last := run(0, time.Time{}, start)
		time.Sleep(time.Hour)
		last = run(last+1, start, start.Add(time.Hour))
		l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 100)), Outlets: outlets(&taker{})})
		r, err := l.Transfer(t.Context(), link.Tick{Due: start.Add(time.Hour), Reason: record.Scheduled})
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
		_, err := store.Memory.Put(t.Context(), "link/l", []byte(`{"writer":"other","number":7,"due":"2000-01-01T00:00:00Z","inlets":{}}`), rev)
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
		`{"writer":"w","number":-2,"due":"2000-01-01T00:00:00Z","inlets":{}}`,
		`{"writer":"w","number":2,"due":"yesterday","inlets":{}}`,
		`{"writer":"w","number":2,"due":"2000-01-01T00:00:00Z","inlets":{"n":{"position":"?"}}}`} {
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

// atomicTaker is an outlet that writes the commit together with the records.
type atomicTaker struct {
	taker
	store *vault
}

func (v *atomicTaker) Store() any { return v.store }

func (v *atomicTaker) Push(ctx context.Context, records []record.Record, u record.Update) error {
	v.mu.Lock()
	v.offers = append(v.offers, offer{time.Now(), records, u, nil})
	v.mu.Unlock()
	if u.Commit == nil {
		return nil
	}
	if _, err := v.store.Memory.Put(ctx, u.Commit.Key, u.Commit.Value, u.Commit.Revision); err != nil {
		return err
	}
	return nil
}

func TestAtomicOutlet(t *testing.T) {
	store := new(vault)
	out := &atomicTaker{taker: taker{name: "out"}, store: store}
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 3, 9)), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(2)},
	})
	for i := range 3 {
		transferred(t, l)
		offers := out.all()[2*i:]
		require.Len(t, offers, 2)
		assert.Nil(t, offers[0].update.Commit, "only the last batch brings it")
		require.NotNil(t, offers[1].update.Commit)
		assert.Equal(t, "link/l", offers[1].update.Commit.Key)
		assert.Equal(t, int64(i), offers[1].update.Commit.Revision)
		value, rev, err := store.Get(t.Context(), "link/l")
		require.NoError(t, err)
		assert.Equal(t, int64(i+1), rev, "it is written once")
		assert.Equal(t, string(offers[1].update.Commit.Value), string(value))
		assert.Equal(t, fmt.Sprint(3*(i+1)), position(t, store, "link/l", "n"))
	}
	assert.Equal(t, 0, store.writes, "the link has nothing left to write")
}

// An outlet gets no commit that would pass something that is undelivered.
func TestAtomicOutletWithoutCommit(t *testing.T) {
	type change func(c *link.Config, out *atomicTaker)
	tests := map[string]struct {
		change    change
		transfers int
		commits   []bool // of every offer
	}{
		"alone":         {func(*link.Config, *atomicTaker) {}, 2, []bool{true, true}},
		"another store": {func(_ *link.Config, out *atomicTaker) { out.store = new(vault) }, 1, []bool{false}},
		"two lanes":     {func(c *link.Config, _ *atomicTaker) { c.Outlets = append(c.Outlets, &taker{name: "other"}) }, 2, []bool{false, false}},
		"held": {func(c *link.Config, _ *atomicTaker) {
			c.Processors = []record.Processor{&keeper{name: "k", size: 2, key: func(n any) any { return n.(int) % 2 }}}
		}, 4, []bool{false, true}}, // [1 3] while 2 is held, then [2 4]
		"held in the lane": {func(c *link.Config, out *atomicTaker) {
			c.Outlets = nil
			c.Lanes = []link.Lane{{Outlet: out, Processors: []record.Processor{&keeper{name: "k", size: 2, key: func(n any) any { return n.(int) % 2 }}}}}
		}, 4, []bool{false, false}},
		"a lane that only maps": {func(c *link.Config, out *atomicTaker) {
			c.Outlets = nil
			c.Lanes = []link.Lane{{Outlet: out, Processors: []record.Processor{record.Map(func(n int) (int, error) { return n, nil })}}}
		}, 2, []bool{true, true}},
		"a decorator makes no claim": {func(c *link.Config, out *atomicTaker) { c.Outlets = outlets(wrapped{out}) }, 1, []bool{false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := new(vault)
			out := &atomicTaker{taker: taker{name: "out"}, store: store}
			c := link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 9)), Outlets: outlets(out)}
			tt.change(&c, out)
			l := started(t, c)
			for range tt.transfers {
				transferred(t, l)
			}
			var commits []bool
			for _, o := range out.all() {
				commits = append(commits, o.update.Commit != nil)
			}
			assert.Equal(t, tt.commits, commits)
			assert.Equal(t, fmt.Sprint(tt.transfers), position(t, store, "link/l", "n"))
		})
	}
}

type wrapped struct{ outlet.Outlet }

func (w wrapped) Unwrap() outlet.Outlet { return w.Outlet }

// An offer that failed after it was written is offered with the same commit.
func TestAtomicOutletIsOfferedAgain(t *testing.T) {
	store := new(vault)
	out := &atomicTaker{taker: taker{name: "out"}, store: store}
	failed := &flakyAtomic{atomicTaker: out}
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 2)), Outlets: outlets(failed)})
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	transferred(t, l)
	require.Len(t, out.all(), 3)
	assert.Equal(t, out.all()[0].update.Commit, out.all()[1].update.Commit)
	assert.Equal(t, 2, out.all()[1].update.Attempt)
	assert.Equal(t, "2", position(t, store, "link/l", "n"))
}

// flakyAtomic writes at its first push and says that it failed.
type flakyAtomic struct{ *atomicTaker }

func (f *flakyAtomic) Push(ctx context.Context, records []record.Record, u record.Update) error {
	first := len(f.all()) == 0
	err := f.atomicTaker.Push(ctx, records, u)
	if first {
		return errDown
	}
	if errors.Is(err, state.ErrConflict) {
		return nil // it finds its own
	}
	return err
}
