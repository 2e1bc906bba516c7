package gocronplanner_test

import (
	"context"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/planner/gocronplanner"
	"github.com/databay-go/databay/schedule"
)

// upTo returns an inlet that yields 1 to n, one a pull, and calls done then.
func upTo(n int, done func()) inlet.Inlet {
	i := 0
	return inlet.Of(func(context.Context) ([]int, error) {
		if i++; i > n {
			return nil, nil
		}
		if i == n {
			done()
		}
		return []int{i}, nil
	})
}

func ExampleNew() {
	ctx, stop := context.WithCancel(context.Background())
	numbers, err := link.New(link.Config{
		Name:     "numbers",
		Inlets:   []inlet.Inlet{upTo(3, stop)},
		Outlets:  []outlet.Outlet{outlet.Print(os.Stdout)},
		Schedule: schedule.Every(5 * time.Millisecond),
	})
	if err != nil {
		log.Fatal(err)
	}
	p, err := gocronplanner.New(&gocronplanner.Options{
		Planner: planner.Options{Concurrency: 10, Logger: slog.New(slog.DiscardHandler)},
		Gocron:  []gocron.SchedulerOption{gocron.WithLocation(time.UTC)},
	}, numbers)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 1
	// 1 2
	// 2 3
}

// NewTrigger is for a planner that is made elsewhere.
func ExampleNewTrigger() {
	ctx, stop := context.WithCancel(context.Background())
	numbers, err := link.New(link.Config{
		Name:     "numbers",
		Inlets:   []inlet.Inlet{upTo(2, stop)},
		Outlets:  []outlet.Outlet{outlet.Print(os.Stdout)},
		Schedule: schedule.Every(5 * time.Millisecond),
	})
	if err != nil {
		log.Fatal(err)
	}
	p, err := planner.New(&planner.Options{
		Trigger: gocronplanner.NewTrigger(gocron.WithLogger(gocron.NewLogger(gocron.LogLevelError))),
	}, numbers)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 1
	// 1 2
}
