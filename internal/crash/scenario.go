package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/boltstate"
)

// scenario is one way from a source to a target.
type scenario struct {
	name       string
	steps      []string // where a child process can be killed
	idempotent bool     // the target takes each row once
	weight     int      // its share of the kills

	// What the parent process does: prepare makes what is there before the first
	// child, grow adds rows to the source, and read tells what survives, while no
	// child runs. The first two may be nil.
	prepare func(ctx context.Context, p *testserver.Program, at *place) error
	grow    func(ctx context.Context, at place, from, until int64) error
	read    func(ctx context.Context, at place, now *snapshot) error

	// What a child process moves rows with.
	open func(ctx context.Context, at place, until int64, h *halt) (pipeline, error)
}

// scenarios returns all there are.
func scenarios() []scenario {
	return []scenario{
		fileScenario("cursor-file", false),
		fileScenario("cursor-file-by-id", true),
		sqlite().once(false),
		sqlite().once(true),
		sqlite().byID(),
		brokerScenario("broker-sqlite-by-id", false),
		letterScenario(),
		spillScenario(),
		overflowScenario(),
		withFullDisk(fileScenario("cursor-file", false)),
		withFullDisk(fileScenario("cursor-file-by-id", true)),
		withFullDisk(sqlite().once(false)),
		withFullDisk(spillScenario()),
		withFullDisk(overflowScenario()),
		withReadOnlyStore(fileScenario("cursor-file", false)),
		postgres().once(false),
		postgres().byID(),
		mariaDB().once(false),
		mariaDB().byID(),
		brokerScenario("kafka-sqlite-by-id", true),
	}
}

// place is where rows come from and go to.
type place struct {
	folder string // what survives on disk
	server string // the address of a server, if there is one

	// Of the parent process.
	program []string // the child process, if it is not this program
	fault   *fault
}

// fault is what happens besides kills.
type fault struct {
	begin, end func() error
	before     bool           // it begins before the child process is there, which must end because of it
	says       *regexp.Regexp // what a child process says then
}

// row is what is moved.
type row struct {
	N    int64  `json:"n" db:"n"`
	Text string `json:"text" db:"text"`
}

func newRow(n int64) row { return row{n, "row " + strconv.FormatInt(n, 10)} }

// snapshot is what survives at one moment.
type snapshot struct {
	rows      map[int64]int      // how often each row is in the target
	spooled   map[int64]int      // how often it is kept for it in a spool
	torn      int                // lines of the target that are not whole
	committed func(n int64) bool // whether the row n is delivered, says the store or the broker
	revision  int64              // of the store
}

// count counts r, unless it is not what it was.
func (s *snapshot) count(r row) error {
	if r != newRow(r.N) {
		return fmt.Errorf("row %d is damaged: %q", r.N, r.Text)
	}
	s.rows[r.N]++
	return nil
}

// commits reads what the store says, in which the link's only inlet has a position.
func (s *snapshot) commits(ctx context.Context, store state.Store) error {
	value, rev, err := store.Get(ctx, "link/rows")
	if err != nil || value == nil {
		return err
	}
	s.revision = rev
	var stored struct {
		Inlets map[string]struct{ Position []byte }
	}
	if err := json.Unmarshal(value, &stored); err != nil {
		return err
	}
	for _, in := range stored.Inlets {
		if n, err := rowOf(in.Position); err == nil {
			s.committed = func(row int64) bool { return row <= n }
		}
	}
	return nil
}

// rowOf returns the row that a position names: it is the number itself, or that of a
// sqlinlet.
func rowOf(position []byte) (n int64, err error) {
	if err := json.Unmarshal(position, &n); err == nil {
		return n, nil
	}
	var p struct{ At [][2]string }
	if err := json.Unmarshal(position, &p); err != nil {
		return 0, err
	}
	if len(p.At) != 1 {
		return 0, errors.New("no position of one column")
	}
	return strconv.ParseInt(p.At[0][1], 10, 64)
}

// openBolt opens the store of the folder.
func openBolt(at place) (*boltstate.Store, error) {
	return boltstate.Open(boltFile(at), nil)
}

func boltFile(at place) string { return filepath.Join(at.folder, "state.db") }

// readBolt reads the store of the folder, which it does not make.
func (s *snapshot) readBolt(ctx context.Context, at place) error {
	if _, err := os.Stat(boltFile(at)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, err := openBolt(at)
	if err != nil {
		return err
	}
	return errors.Join(s.commits(ctx, store), store.Close())
}
