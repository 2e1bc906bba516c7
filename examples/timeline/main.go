// Timeline prints the posts of a timeline as they appear, each once, also when it is
// stopped and started again: the ID of the most recent post is the cursor, and the
// cursor is committed to a file once the posts are printed.
//
//	go run ./examples/timeline -for 5s
//	go run ./examples/timeline -for 5s   # goes on where the first one ended
//
// Without -url the timeline is a local one, with a post a second, whether or not
// somebody asks. A timeline at -url answers GET ?since_id=N with a JSON array of the
// posts behind that ID, {"id", "user", "text"}, the oldest first.
package main

import (
	"context"
	"errors"
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
	"github.com/databay-go/databay/state/boltstate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, w io.Writer) (err error) {
	flags := flag.NewFlagSet("timeline", flag.ContinueOnError)
	url := flags.String("url", "", "the `URL` of the timeline; empty: a local one")
	file := flags.String("state", "timeline.db", "the `file` of the cursor")
	every := flags.Duration("every", time.Second, "how often to ask")
	duration := flags.Duration("for", 0, "when to stop; 0: at Ctrl-C")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}
	if *url == "" {
		local, stop, err := serve()
		if err != nil {
			return err
		}
		defer stop()
		*url = local
	}
	cursors, err := boltstate.Open(*file, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursors.Close()) }()

	posts := inlet.Since("posts", func(ctx context.Context, mostRecent int64) ([]Post, int64, error) {
		posts, err := fetch(ctx, *url, mostRecent)
		if err != nil || len(posts) == 0 {
			return nil, mostRecent, err
		}
		return posts, posts[len(posts)-1].ID, nil
	})
	show := outlet.Each(func(_ context.Context, p Post) error {
		_, err := fmt.Fprintf(w, "%d %s: %s\n", p.ID, p.User, p.Text)
		return err
	})
	timeline, err := link.New(link.Config{
		Name:     "timeline", // keys the cursor
		Inlets:   []inlet.Inlet{posts},
		Outlets:  []outlet.Outlet{outlet.ReadOnly(show)},
		Schedule: schedule.Every(*every),
		State:    cursors,
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, timeline)
}
