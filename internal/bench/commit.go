package main

import (
	"context"
	"errors"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/state"
)

// runCommit measures what a cursor that is committed with every transfer costs: the
// same link without one is what it is compared with.
func runCommit(o amount) (list []result, err error) {
	const (
		pull = 100  // records a pull
		n    = 2000 // transfers a round
	)
	page := func(after int) []order {
		orders := make([]order, pull)
		for i := range orders {
			orders[i] = newOrder(after + i)
		}
		return orders
	}
	plain := inlet.Of(func(context.Context) ([]order, error) { return page(0), nil })
	cursor := inlet.Since("orders", func(_ context.Context, after int) ([]order, int, error) { return page(after), after + pull, nil })
	var sides [2]func() error
	for i, in := range []inlet.Inlet{cursor, plain} {
		sink := new(reader)
		config := link.Config{Name: "commit", Inlets: []inlet.Inlet{in}, Outlets: []outlet.Outlet{sink}}
		if i == 0 {
			config.State = new(state.Memory)
		}
		l, stop, startErr := started(config)
		if startErr != nil {
			return nil, startErr
		}
		defer func() { err = errors.Join(err, stop()) }()
		sides[i] = func() error {
			sink.count = 0
			return errors.Join(transfers(l, n), expect("records", sink.count, pull*n))
		}
	}
	c, err := compare(o, pull*n, sides[0], sides[1])
	return c.results("commit", 0.7, 0), err
}
