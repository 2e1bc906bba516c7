package inlet_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// show pulls once and prints what came, as a link would get it.
func show(in inlet.Inlet) {
	records, err := in.Pull(context.Background(), record.Update{})
	fmt.Println(records, err)
}

// An inlet of one's own is anything that has Pull.
type beacon struct{ position int }

func (b *beacon) Pull(context.Context, record.Update) ([]record.Record, error) {
	b.position++
	return []record.Record{record.New(b.position)}, nil
}

func (b *beacon) Start(context.Context) error { fmt.Println("beacon is on"); return nil }

// Check says whether the beacon would be heard, and moves nothing.
func (b *beacon) Check(context.Context) error {
	if b.position < 0 {
		return errors.New("the beacon is under water")
	}
	return nil
}

// Capabilities are found in what is decorated, too.
func ExampleChecker() {
	in := inlet.Named("north", &beacon{position: -1})
	if c, ok := inlet.As[inlet.Checker](in); ok {
		fmt.Println(c.Check(context.Background()))
	}
	// Output: the beacon is under water
}

func Example() {
	in := inlet.Named("north", new(beacon))
	if s, ok := inlet.As[inlet.Starter](in); ok {
		_ = s.Start(context.Background())
	}
	fmt.Println(inlet.Name(in))
	show(in)
	show(in)
	// Output:
	// beacon is on
	// north
	// [1] <nil>
	// [2] <nil>
}

func ExampleOf() {
	quotes := inlet.Of(func(context.Context) ([]float64, error) { return []float64{1.5, 2.5}, nil })
	show(quotes)
	// Output: [1.5 2.5] <nil>
}

// What f returns together with an error is delivered.
func ExampleOf_error() {
	quotes := inlet.Of(func(context.Context) ([]float64, error) {
		return []float64{1.5}, errors.New("the connection broke")
	})
	show(quotes)
	// Output: [1.5] the connection broke
}

// Records carry more than a payload.
func ExampleOf_records() {
	quotes := inlet.Of(func(context.Context) ([]record.Record, error) {
		return []record.Record{record.New(1.5, record.Attr{Key: "unit", Value: "EUR"}).WithID("quotes/1")}, nil
	})
	show(quotes)
	// Output: [1.5 {unit=EUR}] <nil>
}

func ExampleEach() {
	temperature := inlet.Each(func(context.Context) (float64, error) { return 21.5, nil })
	show(temperature)
	// Output: [21.5] <nil>
}

func ExampleValues() {
	in := inlet.Values("a", "b")
	show(in)
	show(in)
	// Output:
	// [a b] <nil>
	// [] <nil>
}

func ExampleNull() {
	show(inlet.Null())
	// Output: [] <nil>
}

func ExampleRandomInt() {
	dice := inlet.RandomInt(1, 6)
	records, _ := dice.Pull(context.Background(), record.Update{})
	n, err := record.As[int](records[0])
	fmt.Println(1 <= n && n <= 6, err)
	// Output: true <nil>
}

func ExampleFunc() {
	window := inlet.Func(func(_ context.Context, u record.Update) ([]record.Record, error) {
		return []record.Record{record.New("pulled for " + u.String())}, nil
	})
	records, _ := window.Pull(context.Background(), record.Update{Tags: []string{"hourly"}, Number: 3})
	fmt.Println(records)
	// Output: [pulled for hourly.3]
}

func ExampleNamed() {
	in := inlet.Named("dice", inlet.RandomInt(1, 6))
	fmt.Println(inlet.Name(in))
	// Output: dice
}

func ExampleName() {
	fmt.Println(inlet.Name(inlet.Values(1, 2)))
	fmt.Println(inlet.Name(inlet.Func(nil)))
	// Output:
	// values(int)
	// inlet.Func
}

func ExampleWithMetadata() {
	in := inlet.WithMetadata(
		inlet.Values(record.New(1.5), record.New(2.5, record.Attr{Key: "unit", Value: "USD"})),
		record.Attr{Key: "unit", Value: "EUR"},
	)
	show(in)
	// Output: [1.5 {unit=EUR} 2.5 {unit=USD}] <nil>
}

func ExampleSince() {
	table := []string{"a", "b", "c", "d", "e"}
	rows := func() inlet.Inlet {
		return inlet.Since("rows", func(_ context.Context, after int) ([]string, int, error) {
			next := min(after+2, len(table))
			return table[after:next], next, nil
		})
	}
	in := rows()
	show(in)
	show(in)

	// A link does this: it keeps the position, and gives it to the inlet of the
	// next process.
	positioner, _ := inlet.As[inlet.Positioner](in)
	committed := positioner.Position()
	fmt.Printf("committed %s\n", committed)
	in = rows()
	seeker, _ := inlet.As[inlet.Seeker](in)
	_ = seeker.Seek(context.Background(), committed)
	show(in)
	show(in)
	// Output:
	// [a b] <nil>
	// [c d] <nil>
	// committed 4
	// [e] <nil>
	// [] <nil>
}

func ExampleAs() {
	in := inlet.WithMetadata(inlet.Named("north", new(beacon)))
	_, starts := inlet.As[inlet.Starter](in)
	_, seeks := inlet.As[inlet.Seeker](in)
	fmt.Println(starts, seeks)
	// Output: true false
}
