package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// runW6 measures slow inlets of one link, which are pulled side by side.
func runW6(o amount) ([]result, error) {
	const (
		inlets = 50
		each   = 20 * time.Millisecond
		n      = 5 // transfers a round
	)
	sink := new(reader)
	config := link.Config{Name: "w6", Outlets: []outlet.Outlet{sink}}
	for i := range inlets {
		config.Inlets = append(config.Inlets, inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
			time.Sleep(each)
			return []record.Record{record.New(i)}, nil
		}))
	}
	l, stop, err := started(config)
	if err != nil {
		return nil, err
	}
	var ratios []float64
	for round := range o.rounds + 1 {
		sink.count = 0
		s, err := measure(func() error { return transfers(l, n) })
		if err := errors.Join(err, expect("records", sink.count, inlets*n)); err != nil {
			return nil, errors.Join(err, stop())
		}
		if round > 0 {
			ratios = append(ratios, float64(n*each)/float64(s.wall))
		}
	}
	r := result{name: "W6", ratio: median(ratios), goal: 0.95}
	r.detail = fmt.Sprintf("%.2f ms a transfer", each.Seconds()*1000/r.ratio)
	return []result{r}, stop()
}
