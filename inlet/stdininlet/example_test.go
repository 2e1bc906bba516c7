package stdininlet_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/stdininlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// A program that ends with its input.
func ExampleNew() {
	type Event struct{ Level, Text string }
	in := stdininlet.New(&stdininlet.Options{
		Reader: strings.NewReader(`{"level":"info","text":"hello"}` + "\n" + `{"level":"error","text":"oh"}` + "\n"), // or os.Stdin
		Decode: stdininlet.JSON[Event],
	})
	errors, err := link.New(link.Config{
		Name:       "errors",
		Inlets:     []inlet.Inlet{in},
		Processors: []record.Processor{record.Filter(func(e Event) bool { return e.Level == "error" })},
		Outlets:    []outlet.Outlet{&outlet.Printer{SkipUpdate: true}},
		Schedule:   schedule.Every(10 * time.Millisecond),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-in.Done()
		stop()
	}()
	fmt.Println(planner.Run(ctx, errors))
	// Output:
	// {error oh}
	// <nil>
}

func ExampleText() {
	ctx := context.Background()
	in := stdininlet.New(&stdininlet.Options{Reader: strings.NewReader("one line\nanother one\n"), Decode: stdininlet.Text})
	if err := in.Start(ctx); err != nil { // links do this
		fmt.Println(err)
		return
	}
	defer in.Shutdown(ctx)
	records, err := in.Pull(ctx, record.Update{})
	fmt.Println(len(records), records, err)
	// Output: 2 [one line another one] <nil>
}

// A line that is wrong is an error with its number, and the pull after it goes on.
func ExampleJSON() {
	ctx := context.Background()
	in := stdininlet.New(&stdininlet.Options{Reader: strings.NewReader("1\ntwo\n3\n"), Decode: stdininlet.JSON[int]})
	if err := in.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer in.Shutdown(ctx)
	for range 2 {
		fmt.Println(in.Pull(ctx, record.Update{}))
	}
	// Output:
	// [1] stdininlet: cannot decode line 2: invalid character 'w' in literal true (expecting 'r'); it has 3 bytes and begins with "two"
	// [3] <nil>
}
