// Simple moves a to-do from an HTTP API into MongoDB every five seconds.
//
//	go run ./examples/simple -mongo mongodb://127.0.0.1:27017
//
// prints a line like this one for every transfer, until Ctrl-C:
//
//	http_to_mongo.0 pulled 1 filtered 0 held 0 pending 0 delivered 1 dropped 0 balanced
//
// The API is a public one, or one that answers alike at -url. The test runs the program
// against a local API and mongo-java-server, a server of MongoDB's protocol; it was run
// against neither the public API nor MongoDB itself.
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
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
)

// Todo is a to-do of the API and a document of the collection.
type Todo struct {
	ID        int    `json:"id"`
	UserID    int    `json:"userId"`
	Title     string `json:"title"`
	Completed bool   `json:"completed"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("simple", flag.ContinueOnError)
	url := flags.String("url", "https://jsonplaceholder.typicode.com/todos/1", "the `URL` of the API")
	mongo := flags.String("mongo", "mongodb://127.0.0.1:27017", "the `URI` of the server")
	every := flags.Duration("every", 5*time.Second, "how often")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := link.New(link.Config{
		Tags:     []string{"http_to_mongo"},
		Inlets:   []inlet.Inlet{httpinlet.New(*url, &httpinlet.Options{Decode: httpinlet.JSON[Todo]})},
		Outlets:  []outlet.Outlet{mongooutlet.New(*mongo, "databay", "test_collection", nil)},
		Schedule: schedule.Every(*every),
		OnReport: func(_ context.Context, r link.Report) {
			if r.Pulled > 0 {
				fmt.Fprintf(w, "%s.%d %v\n", r.Link, r.Number, r.Account)
			}
		},
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
