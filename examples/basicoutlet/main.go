// Basicoutlet has an outlet of its own that prints the payload of every record
// behind the name of the transfer.
//
//	go run ./examples/basicoutlet
//
// prints lines like these until Ctrl-C:
//
//	print_outlet.0 10
//	print_outlet.1 34
package main

import (
	"context"
	"fmt"
	"io"
	"log"
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

// Lines is an outlet because it has a method Push. Links that share an outlet call it
// side by side.
type Lines struct {
	mu sync.Mutex
	w  io.Writer
}

// Push answers with the records that could not be written. They are offered again.
func (l *Lines) Push(_ context.Context, records []record.Record, u record.Update) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed record.Failures
	for i, r := range records {
		_, err := fmt.Fprintln(l.w, u, r.Payload)
		failed.Add(i, err)
	}
	return failed.Err()
}

// ReadOnly says that Push changes nothing, so that nothing need be copied for it.
func (*Lines) ReadOnly() bool { return true }

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
		Tags:     []string{"print_outlet"},
		Inlets:   []inlet.Inlet{inlet.RandomInt(0, 100)},
		Outlets:  []outlet.Outlet{&Lines{w: w}},
		Schedule: schedule.Every(2 * time.Second),
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
