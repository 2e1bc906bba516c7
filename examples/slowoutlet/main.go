// Slowoutlet has a fast outlet beside one that takes two seconds for each batch. The
// fast one gets every reading in the second in which it was pulled; what waits for the
// slow one stays in the queue of its lane, and is all delivered when the program stops.
//
//	go run ./examples/slowoutlet -for 10s
//
// prints a line for each push, and at the end the account of both lanes:
//
//	0.0 s fast gets 1
//	1.0 s fast gets 2
//	2.0 s slow has got 1
//	2.0 s fast gets 3
//	3.0 s fast gets 4
//	4.0 s slow has got 2
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
)

func main() {
	duration := flag.Duration("for", 10*time.Second, "when to stop; 0: at Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if *duration > 0 {
		time.AfterFunc(*duration, stop)
	}
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	out := log.New(w, "", 0) // two lanes print at the same time
	began := time.Now()
	say := func(what string, readings []int) {
		for _, n := range readings {
			out.Printf("%4.1f s %s %d", time.Since(began).Seconds(), what, n)
		}
	}
	n := 0
	readings := inlet.Each(func(context.Context) (int, error) {
		n++
		return n, nil
	})
	fast := outlet.Of(func(_ context.Context, readings []int) error {
		say("fast gets", readings)
		return nil
	})
	slow := outlet.Of(func(ctx context.Context, readings []int) error {
		select {
		case <-time.After(2 * time.Second):
			say("slow has got", readings)
			return nil
		case <-ctx.Done(): // a stop that takes too long
			return context.Cause(ctx)
		}
	})
	l, err := link.New(link.Config{
		Name:     "readings",
		Inlets:   []inlet.Inlet{readings},
		Outlets:  []outlet.Outlet{outlet.Named("fast", outlet.ReadOnly(fast)), outlet.Named("slow", outlet.ReadOnly(slow))},
		Schedule: schedule.Every(time.Second),
	})
	if err != nil {
		return err
	}
	if err := planner.Run(ctx, l); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, l.Account())
	return err
}
