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
)

// An outlet that is down for a moment costs a pause and no failure.
func ExampleRetry() {
	tries := 0
	l, err := link.New(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1, 2)},
		Lanes: []link.Lane{{
			Outlet: outlet.Of(func(_ context.Context, values []int) error {
				if tries++; tries < 3 {
					return errors.New("503")
				}
				fmt.Println("try", tries, "stores", values)
				return nil
			}),
			Retry: link.Retry{Tries: 5, Within: time.Minute, Backoff: time.Millisecond},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := l.Once(context.Background())
	fmt.Println(report.Outcome, report.Account, err)
	// Output:
	// try 3 stores [1 2]
	// ran pulled 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced <nil>
}

// Orders without a customer are refused for good. They become dead letters, one JSON
// object a line, and the link goes on. When the customers are there the letters are
// replayed. To a file the letters are written by fileoutlet, with any encoder.
func ExampleLink_Replay() {
	type order struct {
		ID       int    `json:"id"`
		Customer string `json:"customer"`
	}
	customers := map[string]bool{"ann": true}
	var file strings.Builder
	l, err := link.New(link.Config{
		Name:   "shop",
		Inlets: []inlet.Inlet{inlet.Values(order{1, "ann"}, order{2, "bob"}, order{3, "ann"})},
		Lanes: []link.Lane{{
			Outlet: outlet.Named("orders", outlet.Each(func(_ context.Context, o order) error {
				if !customers[o.Customer] {
					return record.Permanent(fmt.Errorf("no customer %q", o.Customer))
				}
				fmt.Println("stored", o.ID)
				return nil
			})),
			DeadLetter: &outlet.Printer{W: &file, OnlyPayload: true, SkipUpdate: true},
		}},
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
	if _, err := l.Transfer(ctx, link.Tick{}); err != nil {
		fmt.Println(err)
	}

	customers["bob"] = true
	letters := link.ReadDeadLetters(strings.NewReader(file.String()), link.DecodeAs[order])
	n, err := l.Replay(ctx, letters, func(d link.DeadLetter) bool { return d.Lane == "orders" })
	fmt.Println("replayed", n, err)
	report, err := l.Shutdown(ctx)
	fmt.Println(report.Lanes[0].Abandoned, err)
	fmt.Println(l.Account())
	// Output:
	// stored 1
	// stored 3
	// link shop: push orders: 1 failed: record 1: no customer "bob" (1 dead-lettered)
	// replayed 1 <nil>
	// stored 2
	// 0 <nil>
	// pulled 3 replayed 1 filtered 0 held 0 pending 0 delivered 3 dead letters 1 dropped 0 balanced
}

// What is refused three times becomes a dead letter, though it may be accepted one day.
func ExampleGiveUp() {
	l, err := link.New(link.Config{
		Name:   "mail",
		Inlets: []inlet.Inlet{inlet.Values("ann@example.com", "bob@example.com")},
		Lanes: []link.Lane{{
			Outlet: outlet.Named("smtp", outlet.Each(func(_ context.Context, to string) error {
				if strings.HasPrefix(to, "bob") {
					return errors.New("mailbox full")
				}
				fmt.Println("sent to", to)
				return nil
			})),
			Retry:  link.Retry{Tries: 3, Backoff: time.Millisecond},
			GiveUp: link.GiveUp{Offers: 3},
			DeadLetter: outlet.Each(func(_ context.Context, d link.DeadLetter) error {
				fmt.Println("dead letter:", d.Record.Payload, d.Reasons, "after", d.Attempts, "attempts")
				return nil
			}),
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, _ := l.Once(context.Background())
	fmt.Println(report.Account)
	// Output:
	// sent to ann@example.com
	// dead letter: bob@example.com [mailbox full] after 3 attempts
	// pulled 2 filtered 0 held 0 pending 0 delivered 1 dead letters 1 dropped 0 balanced
}

// The dashboard may miss records, and it never holds up the archive.
func ExampleLane_optional() {
	l, err := link.New(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1, 2, 3)},
		Lanes: []link.Lane{
			{Outlet: outlet.Named("archive", outlet.Of(func(_ context.Context, values []int) error {
				fmt.Println("archived", values)
				return nil
			}))},
			{
				Outlet:   outlet.Named("dashboard", outlet.Func(func(context.Context, []record.Record, record.Update) error { return errors.New("503") })),
				Optional: true,
				Pending:  1000, // then the oldest are dropped
				OnFail:   link.Drop,
				Retry:    link.Retry{Tries: 1},
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := l.Once(context.Background())
	fmt.Println(err)
	fmt.Println(report.Account)
	// Output:
	// archived [1 2 3]
	// <nil>
	// pulled 3 filtered 0 held 0 pending 0 delivered archive=3 dashboard=0 dropped archive=0 dashboard=3 balanced
}
