// Bufferflush collects readings until there are ten of them or the oldest is a minute
// old, and prints each lot as it is released. What is still held when the program
// stops is released then, and delivered.
//
//	go run ./examples/bufferflush -for 13s
//
// prints two lots, the second one at the stop, and the account of all records:
//
//	10 readings: 12 88 3 …
//	4 readings: 71 9 60 22
//	pulled 14 filtered 0 held 0 pending 0 delivered 14 dropped 0 balanced
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

func main() {
	duration := flag.Duration("for", 13*time.Second, "when to stop; 0: at Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if *duration > 0 {
		time.AfterFunc(*duration+100*time.Millisecond, stop)
	}
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	lots := outlet.Of(func(_ context.Context, readings []int) error {
		_, err := fmt.Fprintf(w, "%d readings: %s\n", len(readings), strings.Trim(fmt.Sprint(readings), "[]"))
		return err
	})
	l, err := link.New(link.Config{
		Name:       "readings",
		Inlets:     []inlet.Inlet{inlet.RandomInt(0, 100)},
		Processors: []record.Processor{buffer.New(&buffer.Options{Count: 10, MaxAge: time.Minute})},
		Outlets:    []outlet.Outlet{outlet.ReadOnly(lots)},
		Schedule:   schedule.Every(time.Second),
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
