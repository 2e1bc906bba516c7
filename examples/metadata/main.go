// Metadata has two inlets that differ in their global metadata alone, and an outlet
// that prints only those records whose metadata says so.
//
//	go run ./examples/metadata
//
// prints lines like these, all of the first inlet, until Ctrl-C:
//
//	should_print.0 44 from loud
//	should_print.1 14 from loud
package main

import (
	"context"
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
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// ShouldPrint says whether a record is printed. A typed key, unlike a string, does not
// compile with a typing error, or with a value of another type.
var ShouldPrint = record.NewKey[bool]("example.should_print")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	loud := inlet.WithMetadata(inlet.RandomInt(0, 100), ShouldPrint.Of(true))
	quiet := inlet.WithMetadata(inlet.RandomInt(0, 100), ShouldPrint.Of(false))

	conditional := outlet.Func(func(_ context.Context, records []record.Record, u record.Update) error {
		for _, r := range records {
			if !ShouldPrint.Or(r, false) {
				continue
			}
			if _, err := fmt.Fprintln(w, u, r.Payload, "from", r.Inlet()); err != nil {
				return err
			}
		}
		return nil
	})

	l, err := link.New(link.Config{
		Tags:     []string{"should_print"},
		Inlets:   []inlet.Inlet{inlet.Named("loud", loud), inlet.Named("quiet", quiet)},
		Outlets:  []outlet.Outlet{outlet.ReadOnly(conditional)},
		Schedule: schedule.Every(500 * time.Millisecond),
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
