package link_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// The archive gets everything. The alarm gets what its lane's processors leave, one
// push takes at most five seconds, and what it refuses waits for the next transfer.
func ExampleLane() {
	print := func(name string) outlet.Outlet {
		return outlet.Named(name, outlet.ReadOnly(outlet.Of(func(_ context.Context, v []int) error {
			fmt.Println(name, v)
			return nil
		})))
	}
	l, err := link.New(link.Config{
		Inlets: []inlet.Inlet{inlet.Values(3, 80, 7, 95)},
		Lanes: []link.Lane{
			{Outlet: print("archive")},
			{
				Outlet:     print("alarm"),
				Processors: []record.Processor{record.Filter(func(degrees int) bool { return degrees > 70 })},
				Timeout:    5 * time.Second,
				Pending:    1000,
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := l.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer l.Shutdown(context.Background())
	report, err := l.Transfer(context.Background(), link.Tick{})
	fmt.Println(report.Account, err)
	// Unordered output:
	// archive [3 80 7 95]
	// alarm [80 95]
	// pulled 4 filtered archive=0 alarm=2 held 0 pending 0 delivered archive=4 alarm=2 dropped 0 balanced <nil>
}

func ExampleAccount() {
	tries := 0
	l, err := link.New(link.Config{
		Inlets:     []inlet.Inlet{inlet.Values(1, 2, 3, 4, 5)},
		Processors: []record.Processor{record.Filter(func(n int) bool { return n != 2 })},
		Lanes: []link.Lane{{
			Outlet: outlet.Each(func(_ context.Context, n int) error {
				if tries++; tries < 5 && n > 3 {
					return errors.New("busy")
				}
				return nil
			}),
			Retry: link.Retry{Tries: 1},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := l.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer l.Shutdown(context.Background())
	for range 2 {
		report, _ := l.Transfer(context.Background(), link.Tick{Reason: record.Forced})
		fmt.Println(report.Outcome, report.Lanes[0].Delivered, report.Lanes[0].Pending)
		fmt.Println(l.Account())
	}
	// Output:
	// failed 2 2
	// pulled 5 filtered 1 held 0 pending 2 delivered 2 dropped 0 balanced
	// ran 2 -2
	// pulled 5 filtered 1 held 0 pending 0 delivered 4 dropped 0 balanced
}

// A link with a State goes on where delivery ended, also in another process if the
// store survives it.
func ExampleConfig_state() {
	rows := []string{"a", "b", "c", "d", "e"}
	var store state.Memory
	run := func(accept bool) {
		l, err := link.New(link.Config{
			Name:  "rows",
			State: &store,
			Inlets: []inlet.Inlet{inlet.Since("rows", func(_ context.Context, after int) ([]string, int, error) {
				next := min(after+2, len(rows))
				return rows[after:next], next, nil
			})},
			Outlets: []outlet.Outlet{outlet.Of(func(_ context.Context, rows []string) error {
				if !accept {
					return errors.New("disk full")
				}
				fmt.Println("delivered", rows)
				return nil
			})},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := l.Once(context.Background()); err != nil {
			fmt.Println("failed")
		}
	}
	run(true)
	run(false)
	run(true)
	run(true)
	// Output:
	// delivered [a b]
	// failed
	// delivered [c d]
	// delivered [e]
}

func ExampleConfig_onReport() {
	l, err := link.New(link.Config{
		Name:    "letters",
		Inlets:  []inlet.Inlet{inlet.Values("a", "b")},
		Outlets: []outlet.Outlet{outlet.Discard()},
		OnReport: func(_ context.Context, r link.Report) {
			fmt.Println(r.Link, r.Number, r.Reason, r.Outcome, r.Lanes[0].Delivered)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Once(context.Background())
	// Output:
	// letters 0 forced ran 2
	// letters 1 flush ran 0
}

// One outlet changes what it is given. The other one does not see it, and what is
// refused is offered again as it was.
func ExampleIsolation() {
	refused := false
	gross := outlet.Of(func(_ context.Context, all []map[string]float64) error {
		all[0]["eur"] *= 1.19
		if !refused {
			refused = true
			return errors.New("try again")
		}
		fmt.Println("gross", all[0]["eur"])
		return nil
	})
	net := outlet.ReadOnly(outlet.Of(func(_ context.Context, all []map[string]float64) error {
		fmt.Println("net", all[0]["eur"])
		return nil
	}))
	l, err := link.New(link.Config{
		Inlets:    []inlet.Inlet{inlet.Values(map[string]float64{"eur": 100})},
		Outlets:   []outlet.Outlet{gross, net},
		Isolation: link.Isolate, // the default
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = l.Once(context.Background()) // offers it twice
	fmt.Println(err)
	// Unordered output:
	// net 100
	// gross 119
	// <nil>
}
