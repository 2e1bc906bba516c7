package outlet_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// shelf is an outlet of one's own.
type shelf struct{ items []any }

func (s *shelf) Push(_ context.Context, records []record.Record, u record.Update) error {
	for _, r := range records {
		s.items = append(s.items, r.Payload)
	}
	fmt.Println(u, "brings", len(records))
	return nil
}

// ReadOnly makes it a Reader: it changes nothing it is given.
func (s *shelf) ReadOnly() bool { return true }

// Check says whether there is room, and moves nothing.
func (s *shelf) Check(context.Context) error {
	if len(s.items) > 1 {
		return errors.New("the shelf is full")
	}
	return nil
}

// Capabilities are found in what is decorated, too.
func ExampleChecker() {
	out := outlet.Named("north", &shelf{items: []any{"a", "b"}})
	if c, ok := outlet.As[outlet.Checker](out); ok {
		fmt.Println(c.Check(context.Background()))
	}
	// Output: the shelf is full
}

func Example() {
	s := new(shelf)
	var out outlet.Outlet = s
	_ = out.Push(context.Background(), []record.Record{record.New("a"), record.New("b")}, record.Update{Number: 3})
	fmt.Println(s.items)
	// Output:
	// 3 brings 2
	// [a b]
}

func ExampleOf() {
	out := outlet.Of(func(_ context.Context, prices []float64) error {
		fmt.Println("insert", prices)
		return nil
	})
	err := out.Push(context.Background(), []record.Record{record.New(1.5), record.New("free"), record.New(2.5)}, record.Update{})
	fmt.Println(err)
	// Output:
	// insert [1.5 2.5]
	// 1 failed: record 1: payload is a string, want float64
}

// An outlet that accepts some of the values names the others.
func ExampleOf_partial() {
	out := outlet.Of(func(_ context.Context, names []string) error {
		var failures record.Failures
		for i, name := range names {
			if name == "" {
				failures.Add(i, record.Permanent(errors.New("no name")))
			}
		}
		return failures.Err()
	})
	err := out.Push(context.Background(), []record.Record{record.New("ann"), record.New(""), record.New("bob")}, record.Update{})
	fmt.Println(err, record.IsPermanent(err))
	// Output: 1 failed: record 1: no name true
}

func ExampleEach() {
	out := outlet.Each(func(_ context.Context, n int) error {
		if n == 0 {
			return errors.New("division by zero")
		}
		fmt.Println(60 / n)
		return nil
	})
	err := out.Push(context.Background(), []record.Record{record.New(2), record.New(0), record.New(3)}, record.Update{})
	fmt.Println(err)
	// Output:
	// 30
	// 20
	// 1 failed: record 1: division by zero
}

func ExampleFunc() {
	out := outlet.Func(func(_ context.Context, records []record.Record, u record.Update) error {
		fmt.Println(u, records)
		return nil
	})
	_ = out.Push(context.Background(), []record.Record{record.New(1)}, record.Update{Tags: []string{"daily"}})
	// Output: daily.0 [1]
}

func ExamplePrint() {
	out := outlet.Print(os.Stdout)
	records := []record.Record{record.New(1), record.New(2, record.Attr{Key: "unit", Value: "m"})}
	_ = out.Push(context.Background(), records, record.Update{Tags: []string{"daily"}, Number: 16})
	// Output:
	// daily.16 1
	// daily.16 2 {unit=m}
}

func ExamplePrinter() {
	out := &outlet.Printer{OnlyPayload: true, SkipUpdate: true}
	_ = out.Push(context.Background(), []record.Record{record.New(2, record.Attr{Key: "unit", Value: "m"})}, record.Update{})
	// Output: 2
}

func ExampleDiscard() {
	err := outlet.Discard().Push(context.Background(), []record.Record{record.New(1)}, record.Update{})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleNamed() {
	out := outlet.Named("archive", outlet.Discard())
	fmt.Println(outlet.Name(out))
	// Output: archive
}

func ExampleName() {
	fmt.Println(outlet.Name(outlet.Discard()))
	fmt.Println(outlet.Name(outlet.Func(nil)))
	// Output:
	// discard
	// outlet.Func
}

func ExampleReadOnly() {
	count := outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
		fmt.Println(len(records))
		return nil
	})
	_, before := outlet.Outlet(count).(outlet.Reader)
	r, after := outlet.ReadOnly(count).(outlet.Reader)
	fmt.Println(before, after, r.ReadOnly())
	// Output: false true true
}

func ExampleAs() {
	out := outlet.Named("archive", outlet.Print(nil))
	p, ok := outlet.As[*outlet.Printer](out)
	fmt.Println(p.String(), ok)
	// Output: print true
}
