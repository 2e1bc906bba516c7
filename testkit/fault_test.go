package testkit_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	strike := func(t *testing.T, f testkit.Fault, calls int) (failed []int) {
		t.Helper()
		for i := range calls {
			if f(t.Context(), 0) != nil {
				failed = append(failed, i)
			}
		}
		return failed
	}
	fail := testkit.Fail(errBroken)
	assert.ErrorIs(t, fail(t.Context(), 0), errBroken)
	assert.NoError(t, testkit.Fail(nil)(t.Context(), 0))
	assert.PanicsWithValue(t, "oh", func() { _ = testkit.Panic("oh")(t.Context(), 0) })
	assert.Equal(t, []int{0, 1}, strike(t, testkit.Flaky(2, fail), 6))
	assert.Empty(t, strike(t, testkit.Flaky(0, fail), 6))
	assert.Empty(t, strike(t, testkit.Flaky(-1, fail), 6))
	assert.Equal(t, []int{2, 5}, strike(t, testkit.Every(3, fail), 7))
	assert.Equal(t, []int{0, 1, 2}, strike(t, testkit.Every(1, fail), 3))
	assert.PanicsWithValue(t, "testkit.Every: n is 0, want at least 1", func() { testkit.Every(0, fail) })
}

func TestFaultsOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		took := func() time.Duration { return time.Since(began) }
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errBroken)
		defer cancel()

		assert.NoError(t, testkit.Slow(10*time.Second)(ctx, 0))
		assert.Equal(t, 10*time.Second, took())
		assert.ErrorIs(t, testkit.Slow(time.Hour)(ctx, 0), errBroken)
		assert.Equal(t, time.Minute, took())
		assert.ErrorIs(t, testkit.Block()(ctx, 0), errBroken)

		release := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(release) })
		assert.NoError(t, testkit.Hang(release)(ctx, 0))
		assert.Equal(t, time.Hour+time.Minute, took())

		ended := make(chan bool)
		go func() {
			returned := false
			defer func() { ended <- !returned && recover() == nil }()
			_ = testkit.Exit()(ctx, 0)
			returned = true
		}()
		assert.True(t, <-ended, "Exit ends the goroutine without a panic")
	})
}

func TestReject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		indices []int
		records int
		want    []int
	}{
		{"those that are there", []int{0, 2, 7, -1}, 3, []int{0, 2}},
		{"none is there", []int{5}, 3, nil},
		{"the first half", nil, 5, []int{0, 1, 2}},
		{"one", nil, 1, []int{0}},
		{"no records", nil, 0, nil},
	} {
		err := testkit.Reject(errBroken, c.indices...)(t.Context(), c.records)
		if c.want == nil {
			assert.NoError(t, err, c.name)
			continue
		}
		assert.Equal(t, c.want, record.AsPartial(err).Indices(), c.name)
		assert.ErrorIs(t, err, errBroken, c.name)
	}
}

func TestFaultyInlet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	empty := new(testkit.FaultyInlet)
	records, err := empty.Pull(ctx, record.Update{})
	assert.NoError(t, err)
	assert.Empty(t, records)
	assert.Equal(t, "testkit.FaultyInlet", inlet.Name(empty))

	in := &testkit.FaultyInlet{Inlet: rows(), OnPull: testkit.Flaky(1, testkit.Fail(errBroken)), AfterPull: testkit.Every(2, testkit.Fail(io.EOF))}
	records, err = in.Pull(ctx, record.Update{})
	assert.ErrorIs(t, err, errBroken)
	assert.Empty(t, records)
	records, err = in.Pull(ctx, record.Update{})
	assert.NoError(t, err)
	assert.Len(t, records, 3)
	records, err = in.Pull(ctx, record.Update{})
	assert.ErrorIs(t, err, io.EOF)
	assert.Len(t, records, 3, "records that come with an error")
	assert.Equal(t, 3, in.Calls())
	assert.Equal(t, "rows", in.String())
	p, ok := inlet.As[inlet.Positioner](in)
	assert.True(t, ok, "capabilities are looked through")
	assert.Equal(t, "6", string(p.Position()))

	outer := &testkit.FaultyInlet{Inlet: in, Name: "outer", OnStart: testkit.Flaky(1, testkit.Fail(errBroken)), OnShutdown: testkit.Every(2, testkit.Fail(errBroken))}
	assert.Equal(t, "outer", outer.String())
	assert.ErrorIs(t, outer.Start(ctx), errBroken)
	assert.NoError(t, outer.Start(ctx))
	assert.NoError(t, outer.Shutdown(ctx))
	assert.ErrorIs(t, outer.Shutdown(ctx), errBroken)
	assert.Equal(t, []int{2, 2, 1, 1}, []int{outer.Starts(), outer.Shutdowns(), in.Starts(), in.Shutdowns()})
}

func TestFaultyOutlet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	batch := []record.Record{record.New("a"), record.New("b"), record.New("c"), record.New("d")}
	accepts := new(testkit.FaultyOutlet)
	assert.NoError(t, accepts.Push(ctx, batch, record.Update{}))
	assert.True(t, accepts.ReadOnly())
	assert.Equal(t, "testkit.FaultyOutlet", outlet.Name(accepts))
	assert.False(t, (&testkit.FaultyOutlet{Outlet: outlet.Func(nil)}).ReadOnly(), "a claim is the outlet's own")

	for _, c := range []struct {
		name    string
		inner   testkit.Fault
		onPush  testkit.Fault
		after   testkit.Fault
		written []any
		failed  []int // nil: no Partial
		err     error
	}{
		{"no fault", nil, nil, nil, []any{"a", "b", "c", "d"}, nil, nil},
		{"fails", nil, testkit.Fail(errBroken), nil, nil, nil, errBroken},
		{"rejects", nil, testkit.Reject(errBroken, 1, 3), nil, []any{"a", "c"}, []int{1, 3}, errBroken},
		{"rejects all", nil, testkit.Reject(errBroken, 0, 1, 2, 3), nil, nil, []int{0, 1, 2, 3}, errBroken},
		{"the inner one rejects", testkit.Reject(io.EOF, 1), testkit.Reject(errBroken, 0), nil, []any{"b", "d"}, []int{0, 2}, io.EOF},
		{"the inner one fails", testkit.Fail(io.EOF), testkit.Reject(errBroken, 0), nil, nil, []int{0, 1, 2, 3}, io.EOF},
		{"the inner one alone rejects", testkit.Reject(io.EOF, 1), nil, nil, []any{"a", "c", "d"}, []int{1}, io.EOF},
		{"the answer is lost", nil, nil, testkit.Fail(errBroken), []any{"a", "b", "c", "d"}, nil, errBroken},
	} {
		sink := new(testkit.Sink)
		out := &testkit.FaultyOutlet{
			Outlet: &testkit.FaultyOutlet{Outlet: sink, OnPush: c.inner}, OnPush: c.onPush, AfterPush: c.after,
		}
		err := out.Push(ctx, batch, record.Update{})
		assert.ErrorIs(t, err, c.err, c.name)
		assert.Equal(t, c.written, sink.Payloads(), c.name)
		if p := record.AsPartial(err); c.failed != nil && assert.NotNil(t, p, c.name) {
			assert.Equal(t, c.failed, p.Indices(), c.name)
		} else if c.failed == nil {
			assert.Nil(t, p, c.name)
		}
	}

	sink := new(testkit.Sink)
	assert.NoError(t, (&testkit.FaultyOutlet{Outlet: sink}).Push(ctx, nil, record.Update{}))
	assert.Len(t, sink.Batches(), 1, "empty pushes get there")
}

func TestFaultyProcessor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	batch := []record.Record{record.New(1), record.New("two"), record.New(3)}
	double := record.Map(func(n int) (int, error) { return 2 * n, nil })
	for _, c := range []struct {
		name   string
		p      *testkit.FaultyProcessor
		out    []any
		failed []int
		err    error
	}{
		{"nothing", new(testkit.FaultyProcessor), []any{1, "two", 3}, nil, nil},
		{"the inner one rejects", &testkit.FaultyProcessor{Processor: double}, []any{2, 6}, []int{1}, nil},
		{"both reject", &testkit.FaultyProcessor{Processor: double, OnProcess: testkit.Reject(errBroken, 0)}, []any{6}, []int{0, 1}, errBroken},
		{"fails", &testkit.FaultyProcessor{Processor: double, OnProcess: testkit.Fail(errBroken)}, nil, nil, errBroken},
		{"the inner one fails", &testkit.FaultyProcessor{
			Processor: &testkit.FaultyProcessor{AfterProcess: testkit.Fail(errBroken)}, OnProcess: testkit.Reject(io.EOF, 0),
		}, nil, []int{0, 1, 2}, errBroken},
		{"after it", &testkit.FaultyProcessor{AfterProcess: testkit.Fail(errBroken)}, []any{1, "two", 3}, nil, errBroken},
	} {
		records, err := c.p.Process(ctx, batch)
		var out []any
		for _, r := range records {
			out = append(out, r.Payload)
		}
		assert.Equal(t, c.out, out, c.name)
		if c.err != nil {
			assert.ErrorIs(t, err, c.err, c.name)
		}
		if p := record.AsPartial(err); c.failed != nil && assert.NotNil(t, p, c.name) {
			assert.Equal(t, c.failed, p.Indices(), c.name)
		}
	}
	p := &testkit.FaultyProcessor{Processor: &testkit.FaultyProcessor{Name: "inner"}}
	assert.Equal(t, "inner", p.String())
	assert.Equal(t, "testkit.FaultyProcessor", new(testkit.FaultyProcessor).String())
	assert.Equal(t, "record.ProcessorFunc", (&testkit.FaultyProcessor{Processor: record.ProcessorFunc(nil)}).String())
}

func TestFaultyStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := &testkit.FaultyStore{
		OnGet:    testkit.Flaky(1, testkit.Fail(io.EOF)),
		OnPut:    testkit.Flaky(1, testkit.Fail(io.EOF)),
		AfterPut: testkit.Every(2, testkit.Fail(errBroken)),
	}
	_, _, err := s.Get(ctx, "k")
	assert.ErrorIs(t, err, io.EOF)
	_, err = s.Put(ctx, "k", []byte("0"), 0)
	assert.ErrorIs(t, err, io.EOF, "nothing is written")
	rev, err := s.Put(ctx, "k", []byte("1"), 0)
	assert.NoError(t, err)
	_, err = s.Put(ctx, "k", []byte("2"), rev)
	assert.ErrorIs(t, err, errBroken, "the answer is lost")
	value, rev2, err := s.Get(ctx, "k")
	assert.NoError(t, err)
	assert.Equal(t, "2", string(value))
	assert.Greater(t, rev2, rev)
	_, err = s.Put(ctx, "k", []byte("3"), rev)
	assert.ErrorIs(t, err, state.ErrConflict, "the store's own errors are returned")

	inner := new(state.Memory)
	assert.Same(t, inner, (&testkit.FaultyStore{Store: inner}).Unwrap())
}
