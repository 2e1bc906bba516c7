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
