package boltspool_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

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
