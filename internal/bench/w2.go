package main

import (
	"context"
	"errors"
	"slices"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

const (
	bulk  = 100_000 // records a transfer
	chunk = 1000    // records a batch
)

// runW2Map measures outlets that may change what they are given, against naive
// deep copies.
func runW2Map(o amount) ([]result, error) {
	a, b := new(counter), new(counter)
	c, err := compareBulk(o, 1, bulkConfig(mapPayload, record.Filter(activeMap), a, b), &a.count, &b.count, handDeep())
	return c.results("W2-map", 1, 0), err
}

// runW2ReadOnly measures outlets that change nothing, against the same copies.
func runW2ReadOnly(o amount) ([]result, error) {
	a, b := new(reader), new(reader)
	c, err := compareBulk(o, 1, bulkConfig(mapPayload, record.Filter(activeMap), a, b), &a.count, &b.count, handDeep())
	return c.results("W2-readonly", 3.5, 0), err
}

// runW2Struct measures payloads that are structs, and that need no copies even
// where outlets may change them, against a loop that knows their type.
func runW2Struct(o amount) ([]result, error) {
	a, b := new(counter), new(counter)
	c, err := compareBulk(o, 10, bulkConfig(structPayload, record.Filter(activeOrder), a, b), &a.count, &b.count, handStructs())
	return c.results("W2-struct", 0.3, 1.1), err
}

func bulkConfig(payload func(int) any, filter record.Processor, outlets ...outlet.Outlet) link.Config {
	return link.Config{
		Name:       "w2",
		Inlets:     []inlet.Inlet{orders(bulk, payload)},
		Processors: []record.Processor{filter},
		Groupers:   []record.Grouper{record.Chunk(chunk)},
		Outlets:    outlets,
	}
}

// compareBulk compares n transfers of each side. a and b are what the outlets of
// our side have counted.
func compareBulk(o amount, n int, config link.Config, a, b *int64, byHand func() (first, second int64, err error)) (comparison, error) {
	l, stop, err := started(config)
	if err != nil {
		return comparison{}, err
	}
	both := func(first, second int64) error {
		want := int64(n * bulk / 2)
		return errors.Join(expect("first outlet", first, want), expect("second outlet", second, want))
	}
	c, err := compare(o, n*bulk,
		func() error {
			*a, *b = 0, 0
			return errors.Join(transfers(l, n), both(*a, *b))
		},
		func() error {
			var first, second int64
			for range n {
				x, y, err := byHand()
				if err != nil {
					return err
				}
				first, second = first+x, second+y
			}
			return both(first, second)
		})
	return c, errors.Join(err, stop())
}

// handDeep copies every batch deeply for each outlet.
func handDeep() func() (int64, int64, error) {
	return func() (int64, int64, error) {
		a, b := new(handCounter), new(handCounter)
		l := &handLink{
			name:       "w2",
			inlet:      handMaps{bulk},
			processors: []handProcessor{handFilter(func(p any) bool { return activeMap(p.(map[string]any)) })},
			batch:      chunk,
			copies:     true,
			outlets:    []handOutlet{a, b},
		}
		err := l.transfer(context.Background())
		return a.count, b.count, err
	}
}

// handOrder is a record of a program that has one type of payload.
type handOrder struct {
	Payload order
	Meta    *record.Metadata
}

type handOrderOutlet interface {
	Push(ctx context.Context, records []handOrder) error
}

type handOrderCounter struct{ count int64 }

func (c *handOrderCounter) Push(_ context.Context, records []handOrder) error {
	c.count += int64(len(records))
	return nil
}

// handStructs clones every batch for each outlet.
func handStructs() func() (int64, int64, error) {
	md := record.NewMetadata(record.Attr{Key: "table", Value: "orders"}, record.Attr{Key: "region", Value: "eu"})
	return func() (int64, int64, error) {
		ctx := context.Background()
		a, b := new(handOrderCounter), new(handOrderCounter)
		pulled := make([]handOrder, bulk)
		for i := range pulled {
			pulled[i] = handOrder{newOrder(i), &md}
		}
		kept := make([]handOrder, 0, len(pulled))
		for _, r := range pulled {
			if activeOrder(r.Payload) {
				kept = append(kept, r)
			}
		}
		for batch := range slices.Chunk(kept, chunk) {
			for _, out := range []handOrderOutlet{a, b} {
				if err := out.Push(ctx, slices.Clone(batch)); err != nil {
					return 0, 0, err
				}
			}
		}
		return a.count, b.count, nil
	}
}
