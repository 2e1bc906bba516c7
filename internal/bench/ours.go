package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// counter is an outlet that declares nothing.
type counter struct{ count int64 }

func (c *counter) Push(_ context.Context, records []record.Record, _ record.Update) error {
	c.count += int64(len(records))
	return nil
}

// reader is a counter that declares itself read-only.
type reader struct{ counter }

func (*reader) ReadOnly() bool { return true }

// orders returns an inlet of n records a pull, made by payload.
func orders(n int, payload func(i int) any) inlet.Inlet {
	return inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
		md := record.NewMetadata(record.Attr{Key: "table", Value: "orders"}, record.Attr{Key: "region", Value: "eu"})
		records := make([]record.Record, n)
		for i := range records {
			records[i] = record.Record{Payload: payload(i), Metadata: md}
		}
		return records, nil
	})
}

func mapPayload(i int) any { return orderMap(i) }

func structPayload(i int) any { return newOrder(i) }

// ints returns an inlet of one int a pull.
func ints() inlet.Inlet {
	n := 0
	return inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
		n++
		return []record.Record{record.New(n)}, nil
	})
}

// started returns a link of c that is ready for transfers, and what shuts it down
// and checks its account.
func started(c link.Config) (l *link.Link, stop func() error, err error) {
	ctx := context.Background()
	if l, err = link.New(c); err != nil {
		return nil, nil, err
	}
	if err := l.Start(ctx); err != nil {
		return nil, nil, err
	}
	return l, func() error {
		_, err := l.Shutdown(ctx)
		a := l.Account()
		for _, lane := range a.Lanes {
			if lane.Offered != lane.Delivered {
				err = errors.Join(err, fmt.Errorf("lane %s has not delivered everything: %v", lane.Name, a))
			}
		}
		return errors.Join(err, a.Balance())
	}, nil
}

// transfers makes n transfers, one after another.
func transfers(l *link.Link, n int) error {
	ctx := context.Background()
	for range n {
		if _, err := l.Transfer(ctx, link.Tick{}); err != nil {
			return err
		}
	}
	return nil
}

// handTransfers makes n transfers, one after another.
func handTransfers(l *handLink, n int) error {
	ctx := context.Background()
	for range n {
		if err := l.transfer(ctx); err != nil {
			return err
		}
	}
	return nil
}
