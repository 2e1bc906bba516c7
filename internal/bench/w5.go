package main

import (
	"errors"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// runW5 measures a buffer in front of one read-only outlet.
func runW5(o amount) ([]result, error) {
	const (
		size = 10_000 // records that the buffer releases at once
		pull = 100    // records a pull
		n    = 1000   // transfers a round
	)
	sink, handSink := new(reader), new(handCounter)
	l, stop, err := started(link.Config{
		Name:       "w5",
		Inlets:     []inlet.Inlet{orders(pull, mapPayload)},
		Processors: []record.Processor{buffer.New(&buffer.Options{Count: size})},
		Outlets:    []outlet.Outlet{sink},
	})
	if err != nil {
		return nil, err
	}
	byHand := &handLink{
		name:       "w5",
		inlet:      handMaps{pull},
		processors: []handProcessor{&handBuffer{size: size}},
		copies:     true,
		outlets:    []handOutlet{handSink},
	}
	c, err := compare(o, pull*n,
		func() error {
			sink.count = 0
			return errors.Join(transfers(l, n), expect("records", sink.count, pull*n))
		},
		func() error {
			handSink.count = 0
			return errors.Join(handTransfers(byHand, n), expect("records", handSink.count, pull*n))
		})
	return c.results("W5", 1.5, 0), errors.Join(err, stop())
}
