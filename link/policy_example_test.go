package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// An Order is what the examples of lanes move.
type Order struct {
	Customer string
	Total    int
}

// start returns a link of orders and one lane, started.
func start(c link.Config) *link.Link {
	l, err := link.New(c)
	if err != nil {
		log.Fatal(err)
	}
	if err := l.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	return l
}

// known is an outlet that refuses orders of nobody, for good, and prints the others.
func known() outlet.Outlet {
	return outlet.Named("shop", outlet.Each(func(_ context.Context, o Order) error {
		if o.Customer == "" {
			return record.Permanent(errors.New("no customer"))
		}
		fmt.Println(o.Customer, o.Total)
		return nil
	}))
}

// What the outlet refuses is offered again within the transfer, after a pause. What it
// has accepted is not.
func ExampleRetry() {
	tries := 0
	l := start(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1, 2)},
		Lanes: []link.Lane{{
			Outlet: outlet.Each(func(_ context.Context, n int) error {
				if n == 2 && tries < 3 {
					tries++
					return fmt.Errorf("try %d: busy", tries)
				}
				fmt.Println("stored", n)
				return nil
			}),
			Retry: link.Retry{Tries: 5, Within: time.Minute, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond},
		}},
	})
	defer l.Shutdown(context.Background())
	report, err := l.Transfer(context.Background(), link.Tick{})
	fmt.Println(report.Outcome, err)
	// Output:
	// stored 1
	// stored 2
	// ran <nil>
}

// A record that is refused for good goes to the dead letters, as a line of JSON that
// says why, and those behind it go on.
func ExampleLane_deadLetter() {
	letters := outlet.Of(func(_ context.Context, letters []link.DeadLetter) error {
		for _, d := range letters {
			fmt.Println("dead:", d.Stage, d.Node, d.Reasons[0], d.Record.Payload)
		}
		return nil
	})
	l := start(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(Order{"ada", 5}, Order{"", 9}, Order{"bob", 7})},
		Lanes:  []link.Lane{{Outlet: known(), DeadLetter: letters}},
	})
	defer l.Shutdown(context.Background())
	report, err := l.Transfer(context.Background(), link.Tick{})
	fmt.Println(report.Account)
	fmt.Println(err)
	// Output:
	// ada 5
	// bob 7
	// dead: push shop no customer { 9}
	// pulled 3 filtered 0 held 0 pending 0 delivered 2 dead letters 1 dropped 0 balanced
	// link link: push shop: 1 failed: record 1: no customer (1 dead-lettered)
}

// Dead letters are written as lines, read back, and put into the queue of the lane that
// they come from, once the cause is mended.
func ExampleLink_Replay() {
	ctx := context.Background()
	var file bytes.Buffer // or a file, by an outlet of package fileoutlet
	broken := start(link.Config{
		Name:   "orders",
		Inlets: []inlet.Inlet{inlet.Values(Order{"", 9})},
		Lanes:  []link.Lane{{Outlet: known(), DeadLetter: &outlet.Printer{W: &file, OnlyPayload: true, SkipUpdate: true}}},
	})
	broken.Transfer(ctx, link.Tick{})
	broken.Shutdown(ctx)

	mended := start(link.Config{
		Name:   "orders",
		Inlets: []inlet.Inlet{inlet.Null()},
		Outlets: []outlet.Outlet{outlet.Named("shop", outlet.Each(func(_ context.Context, o Order) error {
			fmt.Println("guest", o.Total)
			return nil
		}))},
	})
	defer mended.Shutdown(ctx)
	n, err := mended.Replay(ctx, link.ReadDeadLetters(&file, link.DecodeAs[Order]), func(d link.DeadLetter) bool { return d.Stage == link.OpPush })
	fmt.Println("replayed", n, err)
	report, err := mended.Transfer(ctx, link.Tick{})
	fmt.Println(report.Outcome, err)
	// Unordered output:
	// replayed 1 <nil>
	// guest 9
	// ran <nil>
}

// A line that is no letter is an error that names it, and reading goes on.
func ExampleReadDeadLetters() {
	file := strings.NewReader(`{"version":1,"time":"2026-01-02T15:04:05Z","link":"orders","lane":"shop","stage":"push","node":"shop","reasons":["no customer"],"attempts":1,"number":7,"due":"2026-01-02T15:04:05Z","reason":"scheduled","type":"shop.Order","encoding":"json","payload":{"Total":9}}
{"version":1,"time":"2026-01-0
`)
	for d, err := range link.ReadDeadLetters(file, link.DecodeAs[Order]) {
		fmt.Println(d.Link, d.Lane, d.Reasons, d.Record.Payload, err != nil)
	}
	// Output:
	// orders shop [no customer] { 9} false
	//   [] <nil> true
}

// What was refused three times becomes a dead letter, though it may have passed some day.
func ExampleGiveUp() {
	ctx := context.Background()
	l := start(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1)},
		Lanes: []link.Lane{{
			Outlet: outlet.Named("busy", outlet.Of(func(context.Context, []int) error { return errors.New("busy") })),
			Retry:  link.Retry{Tries: 1},
			GiveUp: link.GiveUp{Offers: 3},
			DeadLetter: outlet.Each(func(_ context.Context, d link.DeadLetter) error {
				fmt.Println("given up after", d.Attempts)
				return nil
			}),
		}},
	})
	defer l.Shutdown(ctx)
	for range 3 {
		report, err := l.Transfer(ctx, link.Tick{})
		fmt.Println("pending", l.LaneStats()[0].Pending, report.Outcome, err)
	}
	// Output:
	// pending 1 failed link link: push busy: busy (1 kept)
	// pending 1 failed link link: push busy: busy (1 kept)
	// given up after 3
	// pending 0 failed link link: push busy: busy (1 dead-lettered)
}

// With more than one dead letter among the last ten records, something is wrong with
// more than the records.
func ExampleDeadLetterLimit() {
	l := start(link.Config{
		Name:            "orders",
		Inlets:          []inlet.Inlet{inlet.Values(Order{"", 1}, Order{"", 2}, Order{"", 3})},
		Lanes:           []link.Lane{{Outlet: known(), DeadLetter: outlet.Discard()}},
		DeadLetterLimit: link.DeadLetterLimit{Max: 1, Of: 10},
	})
	defer l.Shutdown(context.Background())
	_, err := l.Transfer(context.Background(), link.Tick{})
	fmt.Println(errors.Is(err, link.ErrTooManyDeadLetters))
	fmt.Println(l.Account())
	// Output:
	// true
	// pulled 3 filtered 0 held 0 pending 1 delivered 0 dead letters 2 dropped 0 balanced
}

// The dashboard is optional: that it fails is in no error and holds nothing back, and
// of what it does not take the oldest records are dropped.
func ExampleOnFull() {
	ctx := context.Background()
	n := 0
	l := start(link.Config{
		Inlets: []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { n++; return n, nil })},
		Lanes: []link.Lane{
			{Outlet: outlet.Named("store", outlet.Discard())},
			{
				Outlet:   outlet.Named("dashboard", outlet.Of(func(context.Context, []int) error { return errors.New("away") })),
				Optional: true,
				Pending:  2,
				OnFull:   link.DropOldest,
				Retry:    link.Retry{Tries: 1},
			},
		},
	})
	for range 5 {
		if _, err := l.Transfer(ctx, link.Tick{}); err != nil {
			fmt.Println(err)
		}
	}
	l.Shutdown(ctx)
	for _, lane := range l.Account().Lanes {
		fmt.Println(lane.Name, "delivered", lane.Delivered, "overflowed", lane.Overflowed > 0)
	}
	// Output:
	// store delivered 5 overflowed false
	// dashboard delivered 0 overflowed true
}

// How the lanes are doing, for a health check.
func ExampleLink_LaneStats() {
	ctx := context.Background()
	l := start(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(1, 2)},
		Lanes: []link.Lane{{
			Outlet: outlet.Named("store", outlet.Of(func(context.Context, []int) error { return errors.New("away") })),
			Retry:  link.Retry{Tries: 1},
		}},
	})
	defer l.Shutdown(ctx)
	l.Transfer(ctx, link.Tick{})
	for _, lane := range l.LaneStats() {
		fmt.Println(lane.Name, "pending", lane.Pending, "parked", lane.Parked, "waits", lane.Age(time.Now()) > 0)
	}
	// Output: store pending 2 parked true waits true
}

// unreachable is an outlet that says so.
type unreachable struct{ outlet.Outlet }

func (unreachable) Check(context.Context) error { return errors.New("no route to host") }
func (unreachable) String() string              { return "warehouse" }

// Before the first transfer: everything that cannot be reached, at once.
func ExampleLink_Check() {
	l, err := link.New(link.Config{
		Name:    "orders",
		Inlets:  []inlet.Inlet{inlet.Null()},
		Outlets: []outlet.Outlet{unreachable{outlet.Discard()}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Check(context.Background()))
	// Output: link orders: check warehouse: no route to host
}
