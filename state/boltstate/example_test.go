package boltstate_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/state/boltstate"
)

// What was put is there when the file is opened again.
func Example() {
	folder, err := os.MkdirTemp("", "boltstate")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "positions.db")

	ctx := context.Background()
	store, err := boltstate.Open(file, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Put(ctx, "link/todos", []byte("position 17"), 0)
	fmt.Println(err)
	fmt.Println(store.Close())

	store, err = boltstate.Open(file, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	value, rev, err := store.Get(ctx, "link/todos")
	fmt.Printf("%s, revision %d, %v\n", value, rev, err)
	// Output:
	// <nil>
	// <nil>
	// position 17, revision 1, <nil>
}

// One store serves all links of a process; the file belongs to it alone.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "boltstate")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "positions.db")

	store, err := boltstate.Open(file, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	_, err = boltstate.Open(file, &boltstate.Options{LockTimeout: 1})
	fmt.Println(err != nil)
	// Output: true
}
