package main

import (
	"errors"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
)

// runW1 measures what a transfer of one record costs.
func runW1(o amount) ([]result, error) {
	const n = 200_000
	sink, handSink := new(reader), new(handCounter)
	l, stop, err := started(link.Config{Name: "w1", Inlets: []inlet.Inlet{ints()}, Outlets: []outlet.Outlet{sink}})
	if err != nil {
		return nil, err
	}
	byHand := &handLink{name: "w1", inlet: &handInts{name: "ints"}, outlets: []handOutlet{handSink}}
	c, err := compare(o, n,
		func() error {
			sink.count = 0
			return errors.Join(transfers(l, n), expect("records", sink.count, n))
		},
		func() error {
			handSink.count = 0
			return errors.Join(handTransfers(byHand, n), expect("records", handSink.count, n))
		})
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	return c.results("W1", 0.6, 6), nil
}
