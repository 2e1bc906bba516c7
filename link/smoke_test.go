package link_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

func TestSmoke(t *testing.T) {
	var got []int
	fails := 1
	l, err := link.New(link.Config{
		Name: "smoke",
		Inlets: []inlet.Inlet{inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
			return []int{after + 1, after + 2}, after + 2, nil
		})},
		Processors: []record.Processor{record.Filter(func(n int) bool { return n != 2 })},
		Outlets: []outlet.Outlet{outlet.Of(func(_ context.Context, v []int) error {
			if fails > 0 {
				fails--
				return errors.New("503")
			}
			got = append(got, v...)
			return nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Once(t.Context())
	fmt.Println(r.Account, r.Outcome, err, got)
	r, err = l.Once(t.Context())
	fmt.Println(r.Account, r.Outcome, err, got, l.Account())
}

func BenchmarkTransfer(b *testing.B) {
	n := 0
	l, err := link.New(link.Config{
		Name:    "w1",
		Inlets:  []inlet.Inlet{inlet.Each(func(context.Context) (int, error) { n++; return n, nil })},
		Outlets: []outlet.Outlet{outlet.Discard()},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Transfer(b.Context(), link.Tick{})
	}
	l.Shutdown(b.Context())
}
