// Asynchronous has three inlets that take half a second each, and an outlet that
// takes half a second for every record. Inlets are pulled side by side, and the outlet
// handles its records side by side, so that a transfer takes about a second and not
// three.
//
//	go run ./examples/asynchronous
//
// prints lines like these every two seconds until Ctrl-C:
//
//	async.0 produced 20
//	async.0 produced 55
//	async.0 produced 22
//	async.0 push starts
//	async.0 consumed 20
//	async.0 consumed 55
//	async.0 consumed 22
//	async.0 done after 1s
package main

import (
	"context"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// slow stands for an operation that takes half a second, and ends early when the
// link gives it up.
func slow(ctx context.Context) error {
	select {
	case <-time.After(500 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0))
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger) error {
	produce := inlet.Func(func(ctx context.Context, u record.Update) ([]record.Record, error) {
		if err := slow(ctx); err != nil {
			return nil, err
		}
		n := rand.IntN(101)
		out.Println(u, "produced", n)
		return []record.Record{record.New(n)}, nil
	})
	consume := outlet.Func(func(ctx context.Context, records []record.Record, u record.Update) error {
		out.Println(u, "push starts")
		errs := make([]error, len(records))
		var all sync.WaitGroup
		for i, r := range records {
			all.Go(func() {
				if errs[i] = slow(ctx); errs[i] == nil {
					out.Println(u, "consumed", r.Payload)
				}
			})
		}
		all.Wait()
		var failed record.Failures
		for i, err := range errs {
			failed.Add(i, err)
		}
		return failed.Err()
	})

	l, err := link.New(link.Config{
		Tags:     []string{"async"},
		Inlets:   []inlet.Inlet{inlet.Named("a", produce), inlet.Named("b", produce), inlet.Named("c", produce)},
		Outlets:  []outlet.Outlet{outlet.ReadOnly(consume)},
		Schedule: schedule.Every(2 * time.Second),
		OnReport: func(_ context.Context, r link.Report) {
			if r.Pulled > 0 {
				out.Printf("async.%d done after %v", r.Number, r.Took.Round(10*time.Millisecond))
			}
		},
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
