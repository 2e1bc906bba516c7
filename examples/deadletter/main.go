// Deadletter writes orders to a file, and those that the outlet refuses for good to
// another one, from which they are replayed once the cause is mended.
//
//	go run ./examples/deadletter
//	cat dead.jsonl
//	go run ./examples/deadletter -guests -replay
//
// The first command writes eight orders to orders.jsonl and two, which have no
// customer, to dead.jsonl, each with the reason. The third has an outlet that takes
// guests too, and puts the two records back into its queue. The last line of each is
// the account:
//
//	pulled 10 filtered 0 held 0 pending 0 delivered 8 dead letters 2 dropped 0 balanced
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// Order is what is moved.
type Order struct {
	ID       int    `json:"id"`
	Customer string `json:"customer"`
}

// Shop is an outlet that writes orders to another outlet, and refuses those without
// a customer unless it takes guests.
type Shop struct {
	outlet.Outlet
	Guests bool
}

// Unwrap lets a link find what the other outlet can do besides, starting for one.
func (s Shop) Unwrap() outlet.Outlet { return s.Outlet }

func (s Shop) String() string { return "shop" }

// Push refuses single records, each with its reason.
func (s Shop) Push(ctx context.Context, records []record.Record, u record.Update) error {
	var failed record.Failures
	for i, r := range records {
		o, err := record.As[Order](r)
		if err == nil && o.Customer == "" && !s.Guests {
			err = record.Permanent(fmt.Errorf("order %d has no customer", o.ID))
		}
		if err == nil {
			err = s.Outlet.Push(ctx, records[i:i+1], u)
		}
		failed.Add(i, err)
	}
	return failed.Err()
}

func main() {
	folder := flag.String("folder", ".", "the `folder` of the files")
	guests := flag.Bool("guests", false, "take orders that have no customer")
	replay := flag.Bool("replay", false, "put back what is in dead.jsonl, instead of pulling new orders")
	flag.Parse()
	if err := run(context.Background(), *folder, *guests, *replay, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder string, guests, replay bool, w io.Writer) error {
	file := func(name string) outlet.Outlet {
		return fileoutlet.New(filepath.Join(folder, name), &fileoutlet.Options{Encode: fileoutlet.JSON})
	}
	orders := inlet.Null()
	if !replay {
		orders = inlet.Values(Order{1, "ada"}, Order{2, "alan"}, Order{3, ""}, Order{4, "edsger"}, Order{5, "grace"},
			Order{6, "barbara"}, Order{7, ""}, Order{8, "donald"}, Order{9, "ken"}, Order{10, "rob"})
	}
	l, err := link.New(link.Config{
		Name:   "orders",
		Inlets: []inlet.Inlet{orders},
		Lanes: []link.Lane{{
			Outlet:     Shop{file("orders.jsonl"), guests},
			DeadLetter: file("dead.jsonl"),
		}},
		OnError: func(_ context.Context, err *link.Error) error {
			if err.DeadLettered < err.Records {
				return err
			}
			fmt.Fprintln(os.Stderr, err)
			return nil // nothing is left to be settled
		},
	})
	if err != nil {
		return err
	}
	if replay {
		err = replayed(ctx, l, filepath.Join(folder, "dead.jsonl"))
	} else {
		_, err = l.Once(ctx)
	}
	_, e := fmt.Fprintln(w, l.Account())
	return errors.Join(err, e)
}

// replayed puts the records of a file of dead letters back into their lanes. The file
// is then renamed, so that they are not put back twice.
func replayed(ctx context.Context, l *link.Link, name string) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	if err := l.Start(ctx); err != nil {
		return errors.Join(err, file.Close())
	}
	_, err = l.Replay(ctx, link.ReadDeadLetters(file, link.DecodeAs[Order]), nil)
	_, stopped := l.Shutdown(ctx) // delivers what was put back
	if err := errors.Join(err, stopped, file.Close()); err != nil {
		return err
	}
	return os.Rename(name, name+".replayed")
}
