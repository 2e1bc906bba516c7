// Elasticsearch indexes a sentence every two seconds, in bulk requests: an outlet of
// one's own that answers for each document by itself.
//
//	go run ./examples/elasticsearch -url http://127.0.0.1:9200 -index sentences
//	go run ./examples/elasticsearch -url http://127.0.0.1:9200 -index sentences -skip
//
// Documents that are there already, told by their IDs, are overwritten or, with -skip,
// left alone. The index must exist. The second command says:
//
//	document 1 exists: skipped
//
// It was run against OpenSearch 2.19, and neither against Elasticsearch itself nor
// with a user and TLS.
package main

import (
	"context"
	"flag"
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

// Document is what is indexed.
type Document struct {
	ID   string `json:"-"`
	Text string `json:"my_document"`
}

// sentences are what the documents are made of, in turn.
var sentences = []string{
	"Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
	"Phasellus ex erat, viverra tincidunt tempus eget, hendrerit sed ligula.",
	"Quisque mollis nibh in imperdiet porttitor.",
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
	flags := flag.NewFlagSet("elasticsearch", flag.ContinueOnError)
	url := flags.String("url", "http://127.0.0.1:9200", "the `URL` of the cluster")
	index := flags.String("index", "sentences", "the `name` of an index that exists")
	skip := flags.Bool("skip", false, "leave documents alone that exist, instead of overwriting them")
	every := flags.Duration("every", 2*time.Second, "how often")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := link.New(link.Config{
		Tags:     []string{"elasticsearch_outlet"},
		Inlets:   []inlet.Inlet{documents()},
		Outlets:  []outlet.Outlet{&Bulk{URL: *url, Index: *index, Skip: *skip, Log: log.New(w, "", 0)}},
		Schedule: schedule.Every(*every),
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
