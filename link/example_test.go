package link_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// One transfer of a link with an inlet, two processors, a grouper and two outlets.
func Example() {
	l, err := link.New(link.Config{
		Name:   "words",
		Inlets: []inlet.Inlet{inlet.Values("pear", "plum", "apple", "peach", "fig")},
		Processors: []record.Processor{
			record.Filter(func(word string) bool { return len(word) > 3 }),
			record.Map(func(word string) (string, error) { return strings.ToUpper(word), nil }),
		},
		Groupers: []record.Grouper{record.By(func(word string) byte { return word[0] })},
		Outlets: []outlet.Outlet{
			outlet.Of(func(_ context.Context, words []string) error {
				fmt.Println(words)
				return nil
			}),
			outlet.Discard(),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := l.Once(context.Background())
	fmt.Println(report.Outcome, err)
	fmt.Println(report.Account)
	// Output:
	// [PEAR PLUM PEACH]
	// [APPLE]
	// ran <nil>
	// pulled 5 filtered 1 held 0 pending 0 delivered 4 dropped 0 balanced
}

// All mistakes are reported at once, each with its field.
func ExampleNew() {
	clock := inlet.Each(func(context.Context) (time.Time, error) { return time.Now(), nil })
	_, err := link.New(link.Config{
		Name:           "clock",
		Inlets:         []inlet.Inlet{clock, clock},
		Lanes:          []link.Lane{{Pending: -7}},
		Schedule:       schedule.Every(0),
		MaxUncommitted: -2,
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, link.ErrDuplicateNode))
	// Output:
	// link "clock": MaxUncommitted is -2, want more than 0, 0 for 1000 or -1 for no bound
	// Lanes[0].Outlet is nil
	// Lanes[0].Pending is -7, want more than 0, 0 for 10000 or -1 for no bound
	// Schedule: schedule.Every: interval is 0s, want more than 0
	// Inlets[1]: each(time.Time) is Inlets[0] already: link: the node is already in use
	// true
}

// Each run of a cron job goes on where delivery ended. With a State that outlives the
// process, so does the next process.
func ExampleLink_Once() {
	l, err := link.New(link.Config{
		Name: "rows",
		Inlets: []inlet.Inlet{inlet.Since("row", func(_ context.Context, after int) ([]int, int, error) {
			return []int{after + 1, after + 2}, after + 2, nil
		})},
		Outlets: []outlet.Outlet{outlet.Of(func(_ context.Context, rows []int) error {
			fmt.Println(rows)
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		if _, err := l.Once(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// [1 2]
	// [3 4]
}

// A handler decides whether to go on. What failed is kept, whatever it decides.
func ExampleConfig_onError() {
	failures := 1
	l, err := link.New(link.Config{
		Name:   "fruit",
		Inlets: []inlet.Inlet{inlet.Values("apple", "pear")},
		Lanes: []link.Lane{{
			Outlet: outlet.Named("shelf", outlet.Of(func(_ context.Context, fruit []string) error {
				if failures > 0 {
					failures--
					return errors.New("it is full")
				}
				fmt.Println(fruit)
				return nil
			})),
			Retry: link.Retry{Tries: 1},
		}},
		OnError: func(_ context.Context, err *link.Error) error {
			if err.Fatal() {
				return err
			}
			fmt.Println("goes on:", err)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = l.Once(context.Background())
	fmt.Println(err)
	// Output:
	// goes on: link fruit: push shelf: it is full (2 kept)
	// [apple pear]
	// <nil>
}

// Nodes can be added and removed at any time. An outlet that is added gets what is
// pulled from then on; one that is removed gets what it was to get.
func ExampleLink_AddOutlets() {
	show := func(name string) outlet.Outlet {
		return outlet.Named(name, outlet.Of(func(_ context.Context, n []int) error {
			fmt.Println(name, n)
			return nil
		}))
	}
	n := 0
	first, second := show("first"), show("second")
	l, err := link.New(link.Config{
		Inlets:  []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { n++; return n, nil })},
		Outlets: []outlet.Outlet{first},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := l.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	l.Transfer(ctx, link.Tick{Reason: record.Forced})
	fmt.Println(l.AddOutlets(ctx, second))
	fmt.Println(l.RemoveOutlets(ctx, first))
	l.Transfer(ctx, link.Tick{Reason: record.Forced})
	fmt.Println(l.RemoveOutlets(ctx, first))
	_, err = l.Shutdown(ctx)
	fmt.Println(err)
	// Output:
	// first [1]
	// <nil>
	// <nil>
	// second [2]
	// link "link": remove outlet first: link: the node is not in this link
	// <nil>
}

// A node can stop the link that calls it: from inside, Shutdown begins the stop and
// returns at once.
func ExampleFromContext() {
	n := 0
	l, err := link.New(link.Config{
		Name: "countdown",
		Inlets: []inlet.Inlet{inlet.Each(func(ctx context.Context) (int, error) {
			if n++; n == 3 {
				fmt.Println("the end of", link.FromContext(ctx))
				link.FromContext(ctx).Shutdown(ctx)
			}
			return n, nil
		})},
		Outlets: []outlet.Outlet{outlet.Of(func(_ context.Context, n []int) error {
			fmt.Println(n)
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := l.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for {
		if _, err := l.Transfer(ctx, link.Tick{Reason: record.Forced}); err != nil {
			fmt.Println(err)
			break
		}
	}
	// Output:
	// [1]
	// [2]
	// the end of countdown
	// [3]
	// link: stopped
}
