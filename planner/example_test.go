package planner_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// count returns an inlet that yields 1 to n, one a pull, calls done, and then yields
// nothing.
func count(n int, done func()) inlet.Inlet {
	i := 0
	return inlet.Of(func(context.Context) ([]int, error) {
		switch i++; {
		case i < n:
			return []int{i}, nil
		case i == n:
			done()
			return []int{i}, nil
		}
		return nil, nil
	})
}

func newLink(c link.Config) *link.Link {
	l, err := link.New(c)
	if err != nil {
		log.Fatal(err)
	}
	return l
}

// Run is all that a program needs. Its context usually comes from
// signal.NotifyContext.
func ExampleRun() {
	ctx, stop := context.WithCancel(context.Background())
	numbers := newLink(link.Config{
		Name:     "numbers",
		Inlets:   []inlet.Inlet{count(3, stop)},
		Outlets:  []outlet.Outlet{outlet.Print(os.Stdout)},
		Schedule: schedule.Every(time.Millisecond),
	})
	if err := planner.Run(ctx, numbers); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 1
	// 1 2
	// 2 3
}

// Start and Shutdown, where a program does other things meanwhile.
func ExamplePlanner_Start() {
	ctx := context.Background()
	done := make(chan struct{})
	numbers := newLink(link.Config{
		Name:     "numbers",
		Inlets:   []inlet.Inlet{count(2, func() { close(done) })},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(time.Millisecond),
	})
	p, err := planner.New(&planner.Options{ShutdownTimeout: 10 * time.Second}, numbers)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-done
	report, err := p.Shutdown(ctx)
	fmt.Println(report.Links[0].Link, "was shut down:", err)
	fmt.Println(numbers.Account())
	// Output:
	// numbers was shut down: <nil>
	// pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced
}

// Force makes a transfer now, and returns its report.
func ExamplePlanner_Force() {
	ctx := context.Background()
	daily := newLink(link.Config{
		Name:          "daily",
		Inlets:        []inlet.Inlet{inlet.Values("a", "b")},
		Outlets:       []outlet.Outlet{outlet.Discard()},
		Schedule:      schedule.Every(24 * time.Hour),
		SkipImmediate: true,
	})
	p, err := planner.New(nil, daily)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer p.Shutdown(ctx)

	reports, err := p.Force(ctx, daily)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reports[0].Link, reports[0].Reason, reports[0].Outcome, reports[0].Account)
	// Output:
	// daily forced ran pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced
}

// A paused link makes no transfer, unless it is forced.
func ExamplePlanner_Pause() {
	ctx := context.Background()
	hourly := newLink(link.Config{
		Name:     "hourly",
		Inlets:   []inlet.Inlet{inlet.Values("a")},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(time.Hour),
	})
	p, err := planner.New(nil, hourly)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Shutdown(ctx)
	if err := p.Pause(hourly); err != nil {
		log.Fatal(err)
	}
	fmt.Println("link:", p.Paused(hourly), "planner:", p.Paused())
	if err := p.Resume(hourly); err != nil {
		log.Fatal(err)
	}
	fmt.Println("link:", p.Paused(hourly))
	// Output:
	// link: true planner: false
	// link: false
}

// The ledger says what became of every instant of a schedule.
func ExamplePlanner_Ledger() {
	ctx := context.Background()
	done := make(chan struct{})
	numbers := newLink(link.Config{
		Name:          "numbers",
		Inlets:        []inlet.Inlet{count(1, func() { close(done) })},
		Outlets:       []outlet.Outlet{outlet.Discard()},
		Schedule:      schedule.Every(time.Second),
		SkipImmediate: true,
	})
	p, err := planner.New(nil, numbers)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-done
	if _, err := p.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	ledger, err := p.Ledger(numbers)
	fmt.Println(ledger, err)
	// Output: instants 1 ran 1 <nil>
}

// With CancelPrevious a pull that hangs is cut off by the next instant, and made again.
func Example_overlap() {
	ctx, stop := context.WithCancel(context.Background())
	pulls := 0
	prices := newLink(link.Config{
		Name: "prices",
		Inlets: []inlet.Inlet{inlet.Of(func(ctx context.Context) ([]int, error) {
			switch pulls++; pulls {
			case 1:
				<-ctx.Done()
				fmt.Println(context.Cause(ctx))
				return nil, ctx.Err()
			case 2:
				stop()
				return []int{42}, nil
			}
			return nil, nil
		})},
		Outlets:  []outlet.Outlet{outlet.Print(os.Stdout)},
		Schedule: schedule.Every(10 * time.Millisecond),
		Overlap:  link.CancelPrevious,
	})
	p, err := planner.New(&planner.Options{Logger: slog.New(slog.DiscardHandler)}, prices)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// link: cancelled
	// 1 42
}

// With RunAll no instant is left out when the planner is late: here there is one place,
// and another link keeps it for a while. Each transfer is about its own interval.
func Example_misfire() {
	ctx, stop := context.WithCancel(context.Background())
	pulls := 0
	sums := newLink(link.Config{
		Name: "sums",
		Inlets: []inlet.Inlet{inlet.Func(func(_ context.Context, u record.Update) ([]record.Record, error) {
			if pulls++; pulls > 1 && pulls < 5 {
				fmt.Println(u.Due.Sub(u.From))
			}
			if pulls == 4 {
				stop()
			}
			return nil, nil
		})},
		Outlets:       []outlet.Outlet{outlet.Discard()},
		Schedule:      schedule.Every(20 * time.Millisecond),
		SkipImmediate: true,
		Misfire:       link.Misfire{Policy: link.RunAll, Max: 1000},
	})
	var p *planner.Planner
	hog := newLink(link.Config{
		Name: "hog",
		Inlets: []inlet.Inlet{inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
			for {
				if ledger, err := p.Ledger(sums); err != nil || ledger.Instants >= 4 {
					return nil, err
				}
				time.Sleep(time.Millisecond)
			}
		})},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(time.Hour),
	})
	p, err := planner.New(&planner.Options{Concurrency: 1}, hog, sums)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 20ms
	// 20ms
	// 20ms
}

// With StopOnError every failure ends Run, also one whose records would be offered
// again.
func ExampleStopOnError() {
	strict := newLink(link.Config{
		Name:   "strict",
		Inlets: []inlet.Inlet{inlet.Values("a")},
		Outlets: []outlet.Outlet{outlet.Each(func(context.Context, string) error {
			return errors.New("503 Service Unavailable")
		})},
		Schedule: schedule.Every(time.Hour),
	})
	p, err := planner.New(&planner.Options{OnError: planner.StopOnError}, strict)
	if err != nil {
		log.Fatal(err)
	}
	err = p.Run(context.Background())
	var failure *link.Error
	fmt.Println(errors.As(err, &failure), failure.Link, failure.Op)
	// Output: true strict push
}

// OnError decides whether to go on.
func ExampleOptions_onError() {
	access := errors.New("access denied")
	tries := 0
	flaky := newLink(link.Config{
		Name: "flaky",
		Inlets: []inlet.Inlet{inlet.Of(func(context.Context) ([]int, error) {
			if tries++; tries < 3 {
				return nil, errors.New("timeout")
			}
			return nil, access
		})},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(time.Millisecond),
	})
	p, err := planner.New(&planner.Options{
		OnError: func(_ context.Context, err *link.Error) error {
			if errors.Is(err, access) {
				return err
			}
			fmt.Println("goes on after:", err.Err)
			return nil
		},
	}, flaky)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(p.Run(context.Background()), access))
	// Output:
	// goes on after: timeout
	// goes on after: timeout
	// true
}

// A ticker may refuse schedules that are finer than a program is meant for.
func ExampleNewTicker() {
	ticker := planner.NewTicker(&planner.TickerOptions{Resolution: time.Second})
	_, err := planner.New(&planner.Options{Trigger: ticker}, newLink(link.Config{
		Name:     "busy",
		Inlets:   []inlet.Inlet{inlet.Values(1)},
		Outlets:  []outlet.Outlet{outlet.Discard()},
		Schedule: schedule.Every(10 * time.Millisecond),
	}))
	fmt.Println(err)
	// Output: planner: the schedule for "busy" has a step of 10ms, want no less than TickerOptions.Resolution, 1s
}

// All mistakes are reported at once.
func ExampleNew() {
	c := link.Config{
		Name:    "orders",
		Inlets:  []inlet.Inlet{inlet.Null()},
		Outlets: []outlet.Outlet{outlet.Discard()},
	}
	unscheduled := newLink(c)
	c.Schedule = schedule.Every(time.Minute)
	_, err := planner.New(&planner.Options{Concurrency: -3}, unscheduled, newLink(c))
	fmt.Println(err)
	// Output:
	// Options.Concurrency is -3, want more than 0, 0 for 30 or -1 for no bound
	// planner: link "orders": Config.Schedule is nil, want one
	// planner: two links have the name "orders", want Config.Name to be unique: planner: the planner has a link of this name
}
