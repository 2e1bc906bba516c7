package testkit_test

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// A link is built from doubles around the part that is tested, here a filter.
func Example() {
	sink := new(testkit.Sink)
	l, err := link.New(link.Config{
		Inlets:     []inlet.Inlet{testkit.Values([]int{1, -2, 3})},
		Processors: []record.Processor{record.Filter(func(n int) bool { return n > 0 })},
		Outlets:    []outlet.Outlet{sink},
	})
	if err != nil {
		panic(err)
	}
	report, err := l.Once(context.Background())
	fmt.Println(sink.Payloads(), err)
	fmt.Println(report.Account)
	// Output:
	// [1 3] <nil>
	// pulled 3 filtered 1 held 0 pending 0 delivered 2 dropped 0 balanced
}

func ExampleSink() {
	sink := new(testkit.Sink)
	l, err := link.New(link.Config{
		Tags:     []string{"prices"},
		Inlets:   []inlet.Inlet{testkit.Values([]float64{1.5, 2, 3})},
		Groupers: []record.Grouper{record.Chunk(2)},
		Outlets:  []outlet.Outlet{sink},
	})
	if err != nil {
		panic(err)
	}
	if _, err := l.Once(context.Background()); err != nil {
		panic(err)
	}
	for i, batch := range sink.Batches() {
		fmt.Println(sink.Updates()[i], batch)
	}
	// Output:
	// prices.0 [1.5 2]
	// prices.0 [3]
}

// Wait lets a test go on when records have come, with no sleep.
func ExampleSink_Wait() {
	sink := new(testkit.Sink)
	go func() {
		for i := range 3 {
			_ = sink.Push(context.Background(), []record.Record{record.New(i)}, record.Update{})
		}
	}()
	fmt.Println(sink.Wait(context.Background(), 3), sink.Payloads())
	// Output: <nil> [0 1 2]
}

// Each pull yields a batch; then there is nothing at present.
func ExampleValues() {
	in := testkit.Values([]string{"a", "b"}, []string{"c"})
	for range 3 {
		records, err := in.Pull(context.Background(), record.Update{})
		fmt.Println(records, err)
	}
	// Output:
	// [a b] <nil>
	// [c] <nil>
	// [] <nil>
}

// After a restart, with another inlet on the same table, the link goes on after
// what was committed.
func ExampleRows() {
	ctx := context.Background()
	rows := &testkit.Rows{Name: "orders", PerPull: 2}
	rows.Add(3)
	store, sink := new(state.Memory), new(testkit.Sink)
	run := func(in inlet.Inlet) {
		l, err := link.New(link.Config{Name: "orders", Inlets: []inlet.Inlet{in}, Outlets: []outlet.Outlet{sink}, State: store})
		if err != nil {
			panic(err)
		}
		if _, err := l.Once(ctx); err != nil {
			panic(err)
		}
	}
	run(rows)
	run(rows.Again())
	for _, r := range sink.Records() {
		fmt.Println(r.ID())
	}
	// Output:
	// orders/0
	// orders/1
	// orders/2
}
