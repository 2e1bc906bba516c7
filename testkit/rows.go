package testkit

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// Values returns an inlet that yields one of the batches at every pull, in their
// order, and nothing afterwards. It is not resumable.
func Values[T any](batches ...[]T) inlet.Inlet {
	v := &values{batches: make([][]record.Record, len(batches))}
	for i, batch := range batches {
		for _, value := range batch {
			v.batches[i] = append(v.batches[i], record.New(value))
		}
	}
	return v
}

type values struct {
	mu      sync.Mutex
	batches [][]record.Record
}

func (v *values) Pull(context.Context, record.Update) ([]record.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.batches) == 0 {
		return nil, nil
	}
	batch := v.batches[0]
	v.batches = v.batches[1:]
	return batch, nil
}

func (v *values) String() string { return "values" }

// Rows is a resumable inlet on a table that grows by Add. The rows have the
// numbers from 0, which are their payloads, and an ID each. The zero value is an
// inlet on an empty table of its own.
type Rows struct {
	// Name is the name, and begins the IDs. If "", it is "rows".
	Name string

	// PerPull is how many rows a pull returns at most. If 0, all there are.
	PerPull int

	// Payload makes the payload of a row. If nil, it is the number, an int.
	Payload func(row int) any

	mu    sync.Mutex
	table *table
	read  int // rows pulled
}

type table struct {
	mu   sync.Mutex
	rows int
}

func (t *table) add(n int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows += n
	return t.rows
}

var (
	_ inlet.Seeker     = (*Rows)(nil)
	_ inlet.Positioner = (*Rows)(nil)
)

// locked returns the table. The lock is held.
func (r *Rows) locked() *table {
	if r.table == nil {
		r.table = new(table)
	}
	return r.table
}

// Add adds n rows to the table.
func (r *Rows) Add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.locked().add(n)
}

// Len returns how many rows the table has.
func (r *Rows) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.locked().add(0)
}

// Again returns another inlet like r on the same table, which stands at the
// beginning, as after a restart of the program.
func (r *Rows) Again() *Rows {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Rows{Name: r.Name, PerPull: r.PerPull, Payload: r.Payload, table: r.locked()}
}

// Pull returns the next rows. It fails if ctx has ended.
func (r *Rows) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var records []record.Record
	for row, end := r.take(); row < end; row++ {
		var payload any = row
		if r.Payload != nil {
			payload = r.Payload(row)
		}
		records = append(records, record.New(payload).WithID(r.String()+"/"+strconv.Itoa(row)))
	}
	return records, nil
}

// take moves on by the rows of one pull and returns where they begin and end.
func (r *Rows) take() (from, end int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from, end = r.read, max(r.locked().add(0), r.read)
	if r.PerPull > 0 {
		end = min(end, from+r.PerPull)
	}
	r.read = end
	return from, end
}

// Position returns the number of the next row, or nil at the beginning.
func (r *Rows) Position() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read == 0 {
		return nil
	}
	return strconv.AppendInt(nil, int64(r.read), 10)
}

// Seek sets the next row. One that the table does not have yet is no mistake.
func (r *Rows) Seek(_ context.Context, position []byte) error {
	read := 0
	if position != nil {
		var err error
		if read, err = strconv.Atoi(string(position)); err != nil || read < 0 {
			return fmt.Errorf("%s: the position is %.60q, want the number of a row", r, position)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = read
	return nil
}

// String returns the name.
func (r *Rows) String() string {
	if r.Name == "" {
		return "rows"
	}
	return r.Name
}
