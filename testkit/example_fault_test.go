package testkit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// quiet lets a link go on at every failure.
func quiet(context.Context, *link.Error) error { return nil }

// twice runs two transfers of a link that goes on at every failure.
func twice(c link.Config) {
	c.OnError = quiet
	l, err := link.New(c)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := l.Start(ctx); err != nil {
		panic(err)
	}
	for range 2 {
		report, _ := l.Transfer(ctx, link.Tick{})
		fmt.Println(report.Outcome, report.Account)
	}
	if _, err := l.Shutdown(ctx); err != nil {
		panic(err)
	}
}

// A source that fails once.
func ExampleFaultyInlet() {
	twice(link.Config{
		Inlets: []inlet.Inlet{&testkit.FaultyInlet{
			Inlet:  inlet.Values(1, 2),
			OnPull: testkit.Flaky(1, testkit.Fail(errors.New("503"))),
		}},
		Outlets: []outlet.Outlet{new(testkit.Sink)},
	})
	// Output:
	// failed pulled 0 filtered 0 held 0 pending 0 delivered 0 dropped 0 balanced
	// ran pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced
}

// An outlet that rejects the second of three records, at first, and is not tried again
// within the transfer.
func ExampleFaultyOutlet() {
	sink := new(testkit.Sink)
	out := &testkit.FaultyOutlet{
		Outlet: sink,
		OnPush: testkit.Flaky(1, testkit.Reject(errors.New("locked"), 1)),
	}
	twice(link.Config{
		Inlets: []inlet.Inlet{inlet.Values("a", "b", "c")},
		Lanes:  []link.Lane{{Outlet: out, Retry: link.Retry{Tries: 1}}},
	})
	fmt.Println(sink.Payloads(), out.Starts(), out.Calls(), out.Shutdowns())
	// Output:
	// failed pulled 3 filtered 0 held 0 pending 1 delivered 2 dropped 0 balanced
	// ran pulled 0 filtered 0 held 0 pending -1 delivered 1 dropped 0 balanced
	// [a c b] 1 2 1
}

// A processor that panics at its first call, and is given the same records again.
func ExampleFaultyProcessor() {
	sink := new(testkit.Sink)
	twice(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1, 2)},
		Processors: []record.Processor{&testkit.FaultyProcessor{
			OnProcess: testkit.Flaky(1, testkit.Panic("index out of range")),
		}},
		Outlets: []outlet.Outlet{sink},
	})
	fmt.Println(sink.Payloads())
	// Output:
	// failed pulled 2 filtered 0 failed 2 held 0 pending 0 delivered 0 dropped 0 balanced
	// ran pulled 0 filtered 0 failed -2 held 0 pending 0 delivered 2 dropped 0 balanced
	// [1 2]
}

// A store that writes, and whose every second answer gets lost on the way.
func ExampleFaultyStore() {
	ctx := context.Background()
	store := &testkit.FaultyStore{AfterPut: testkit.Every(2, testkit.Fail(errors.New("connection reset")))}
	rev, err := store.Put(ctx, "link/orders", []byte("1"), 0)
	fmt.Println(rev, err)
	_, err = store.Put(ctx, "link/orders", []byte("2"), rev)
	fmt.Println(err)
	value, _, _ := store.Get(ctx, "link/orders")
	fmt.Printf("%s\n", value)
	// Output:
	// 1 <nil>
	// connection reset
	// 2
}

// A fault may be any function.
func ExampleFault() {
	large := testkit.Fault(func(_ context.Context, records int) error {
		if records > 2 {
			return errors.New("413 content too large")
		}
		return nil
	})
	out := &testkit.FaultyOutlet{OnPush: large}
	ctx := context.Background()
	fmt.Println(out.Push(ctx, make([]record.Record, 2), record.Update{}))
	fmt.Println(out.Push(ctx, make([]record.Record, 3), record.Update{}))
	// Output:
	// <nil>
	// 413 content too large
}

// results shows what a fault does at each of a few calls with three records.
func results(f testkit.Fault, ctx context.Context) {
	for range 4 {
		fmt.Println(f(ctx, 3))
	}
}

func ExampleFlaky() {
	results(testkit.Flaky(2, testkit.Fail(errors.New("503"))), context.Background())
	// Output:
	// 503
	// 503
	// <nil>
	// <nil>
}

func ExampleEvery() {
	results(testkit.Every(3, testkit.Fail(errors.New("503"))), context.Background())
	// Output:
	// <nil>
	// <nil>
	// 503
	// <nil>
}

func ExampleReject() {
	fmt.Println(testkit.Reject(errors.New("too long"), 0, 2)(context.Background(), 3))
	// Output: 2 failed: record 0: too long; record 2: too long
}

// An outlet that does not answer, until its context ends.
func ExampleBlock() {
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, errors.New("it took too long"))
	defer cancel()
	out := &testkit.FaultyOutlet{OnPush: testkit.Block()}
	fmt.Println(out.Push(ctx, nil, record.Update{}))
	// Output: it took too long
}

// An outlet that does not even heed its context.
func ExampleHang() {
	release := make(chan struct{})
	out := &testkit.FaultyOutlet{OnPush: testkit.Hang(release)}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error)
	go func() { done <- out.Push(ctx, nil, record.Update{}) }()
	close(release)
	fmt.Println(<-done)
	// Output: <nil>
}

func ExampleSlow() {
	began := time.Now()
	err := testkit.Slow(5*time.Millisecond)(context.Background(), 0)
	fmt.Println(err, time.Since(began) >= 5*time.Millisecond)
	// Output: <nil> true
}

func ExampleFail() {
	fmt.Println(testkit.Fail(errors.New("503"))(context.Background(), 0))
	// Output: 503
}

func ExamplePanic() {
	defer func() { fmt.Println("recovered:", recover()) }()
	_ = testkit.Panic("index out of range")(context.Background(), 0)
	// Output: recovered: index out of range
}

// A test that calls t.FailNow in a node ends the goroutine that calls it.
func ExampleExit() {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		_ = testkit.Exit()(context.Background(), 0)
		fmt.Println("not reached")
	}()
	fmt.Println("recovered:", <-done)
	// Output: recovered: <nil>
}
