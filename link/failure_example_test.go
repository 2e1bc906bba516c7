package link_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

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
