// Basicinlet has an inlet of its own, the smallest there can be, and prints what it
// yields: a random number at once, and another every five seconds.
//
//	go run ./examples/basicinlet
//
// prints lines like these until Ctrl-C:
//
//	random_ints.0 50
//	random_ints.1 61
package main

import (
	"context"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// RandomInts is an inlet because it has a method Pull. inlet.Of makes one of a
// function, in a line.
type RandomInts struct{ Low, High int }

func (r RandomInts) Pull(context.Context, record.Update) ([]record.Record, error) {
	return []record.Record{record.New(r.Low + rand.IntN(r.High-r.Low+1))}, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	l, err := link.New(link.Config{
		Tags:     []string{"random_ints"},
		Inlets:   []inlet.Inlet{RandomInts{Low: 0, High: 100}},
		Outlets:  []outlet.Outlet{&outlet.Printer{W: w, OnlyPayload: true}},
		Schedule: schedule.Every(5 * time.Second),
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
