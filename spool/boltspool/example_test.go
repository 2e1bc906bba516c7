package boltspool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// What is spooled is there until it is removed, whatever happens to the process.
func Example() {
	folder, err := os.MkdirTemp("", "boltspool")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	ctx := context.Background()
	s := boltspool.New(filepath.Join(folder, "names.spool"), spool.JSON[string](), nil)
	if err := s.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Append(ctx, []record.Record{record.New("Ada"), record.New(7), record.New("Grace")}) != nil)
	if err := s.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}

	if err := s.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer s.Shutdown(ctx)
	entries, err := s.Read(ctx, 0, 10)
	for _, e := range entries {
		fmt.Println(e.Seq, e.Record, e.Err)
	}
	fmt.Println(err)
	fmt.Println(s.Remove(ctx, []int64{entries[0].Seq}), s.Stats().Records)
	// Output:
	// true
	// 1 Ada <nil>
	// 2 Grace <nil>
	// <nil>
	// <nil> 1
}

// New touches no file. Mistakes are what Validate reports, all at once.
func ExampleNew() {
	s := boltspool.New("", nil, &boltspool.Options{MaxBytes: -5})
	fmt.Println(s.Validate())
	// Output:
	// boltspool: the path is "", want that of a file
	// boltspool: the codec is nil, want one for the payloads, as spool.JSON[T]()
	// boltspool: MaxBytes is -5, want at least 1, 0 for 1 GiB, or -1 for no bound
}

// A lane whose outlet is away overflows to the spool, and goes on from there after a
// restart of the program.
func ExampleSpool() {
	folder, err := os.MkdirTemp("", "boltspool")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	ctx := context.Background()
	away := true
	program := func(in inlet.Inlet) {
		l, err := link.New(link.Config{
			Name:   "orders",
			Inlets: []inlet.Inlet{in},
			Lanes: []link.Lane{{
				Outlet: outlet.Named("shop", outlet.Of(func(_ context.Context, orders []string) error {
					if away {
						return errors.New("away")
					}
					fmt.Println("delivered", orders)
					return nil
				})),
				OnFull: link.Spill,
				Spool:  boltspool.New(filepath.Join(folder, "orders.spool"), spool.JSON[string](), nil),
				Retry:  link.Retry{Tries: 1},
			}},
		})
		if err != nil {
			log.Fatal(err)
		}
		report, err := l.Once(ctx)
		fmt.Println("spooled", report.Lanes[0].Spooled, "failed", err != nil)
	}
	program(inlet.Values("one", "two"))
	away = false
	program(inlet.Null())
	// Output:
	// spooled 2 failed false
	// delivered [one two]
	// spooled 0 failed false
}
