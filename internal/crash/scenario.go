package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/boltstate"
)

// scenario is one way from a source to a target.
type scenario struct {
	name       string
	steps      []string                                                                // where a child process can be killed
	idempotent bool                                                                    // the target takes each row once
	ready      func() bool                                                             // whether what it needs is there
	open       func(ctx context.Context, folder string, until int64) (pipeline, error) // in the child process
	read       func(ctx context.Context, folder string) (snapshot, error)              // in the parent, while no child runs
}

var scenarios = []scenario{
	{name: "cursor-file", steps: []string{beforePull, pulled, beforePush, pushed, beforePut, put}, ready: always, open: openFile, read: readFile},
}

func always() bool { return true }

// row is what is moved.
type row struct {
	N    int64  `json:"n" db:"n"`
	Text string `json:"text" db:"text"`
}

func newRow(n int64) row { return row{n, "row " + strconv.FormatInt(n, 10)} }

// count counts r in rows, unless it is not what it was.
func (s snapshot) count(r row) error {
	if r != newRow(r.N) {
		return fmt.Errorf("row %d is damaged: %q", r.N, r.Text)
	}
	s.rows[r.N]++
	return nil
}

// committedIn returns the row up to which the store says that rows are delivered,
// which is the position of the link's only inlet.
func committedIn(ctx context.Context, store state.Store) (n int64, err error) {
	value, _, err := store.Get(ctx, "link/rows")
	if err != nil || value == nil {
		return 0, err
	}
	var stored struct {
		Inlets map[string]struct{ Position []byte }
	}
	if err := json.Unmarshal(value, &stored); err != nil {
		return 0, err
	}
	for _, in := range stored.Inlets {
		if in.Position != nil {
			err = errors.Join(err, json.Unmarshal(in.Position, &n))
		}
	}
	return n, err
}

// openBolt opens the store of the folder.
func openBolt(folder string) (*boltstate.Store, error) {
	return boltstate.Open(folder+"/state.db", nil)
}
