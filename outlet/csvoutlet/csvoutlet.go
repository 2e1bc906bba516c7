package csvoutlet

import (
	"context"
	"errors"
	"fmt"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/internal/appendfile"
	"github.com/databay-go/databay/record"
)

// Metadata keys of a record, which win over the outlet's path and options.
var (
	// File is the key of the path of the file that the record goes to.
	File = record.NewKey[string]("csvoutlet.file")

	// Truncate is the key of whether the record's file is emptied, once after a
	// start, before the push that brings the first record that says so.
	Truncate = record.NewKey[bool]("csvoutlet.truncate")
)

// maxBuffer is how many bytes of rows are collected before they are written.
const maxBuffer = 256 << 10

// Outlet appends records to CSV files. It is safe for concurrent use.
type Outlet struct {
	path    string
	opts    Options
	files   appendfile.Files[contents]
	encoder encoder // of the Push that writes, as rows
	rows    []byte
}

var (
	_ outlet.Outlet     = (*Outlet)(nil)
	_ outlet.Starter    = (*Outlet)(nil)
	_ outlet.Shutdowner = (*Outlet)(nil)
	_ outlet.Validator  = (*Outlet)(nil)
	_ outlet.Checker    = (*Outlet)(nil)
	_ outlet.Reader     = (*Outlet)(nil)
	_ fmt.Stringer      = (*Outlet)(nil)
)

// New returns an outlet that appends to the file at path those records that name no
// [File]. The options may be nil. Mistakes are what Validate reports.
func New(path string, opts *Options) *Outlet {
	o := &Outlet{path: path, opts: opts.resolve()}
	o.encoder = newEncoder(o.opts)
	o.files = appendfile.Files[contents]{
		Package: "csvoutlet", Path: path, Key: File, Load: o.encoder.load, MaxOpen: o.opts.MaxOpen,
		Anew: o.opts.Truncate, Synced: o.opts.Sync != SyncNever, Every: o.opts.SyncEvery,
	}
	return o
}

// String returns "csvoutlet(path)".
func (o *Outlet) String() string { return "csvoutlet(" + o.path + ")" }

// ReadOnly returns true.
func (o *Outlet) ReadOnly() bool { return true }

// Validate reports every mistake of the path and the options. It does not look at
// files.
func (o *Outlet) Validate() error {
	var err error
	if o.path == "" {
		err = errors.New("csvoutlet: path is empty, want that of a file")
	}
	return errors.Join(err, o.opts.validate())
}

// Check checks that the outlet's file can be written and, if it exists, that its columns
// fit. It makes no file and changes none: a temporary one, removed at once, shows whether
// a folder can be written. It needs no Start.
func (o *Outlet) Check(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	return o.files.Check(ctx)
}

// Start makes the folder of the outlet's file, and checks what Check does.
func (o *Outlet) Start(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	return o.files.Start(ctx)
}

// Shutdown closes all files, synced if Options.Sync says so. It does nothing if the
// outlet is not started.
func (o *Outlet) Shutdown(context.Context) error { return o.files.Shutdown() }

// Push appends the records to their files, in their order. When ctx ends, those for
// files whose turn has not come are not accepted.
func (o *Outlet) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	return o.files.Push(ctx, records, func(p appendfile.Part, failures *record.Failures) (int, error) {
		return 0, o.write(p, records, failures)
	})
}

// write appends the records of p to its file. Its error is one of all of them; then
// the file is as it was before.
func (o *Outlet) write(p appendfile.Part, records []record.Record, failures *record.Failures) error {
	truncate := false
	for _, i := range p.Indices {
		says, err := appendfile.Flag(records[i], Truncate, o.opts.Truncate)
		if err != nil {
			failures.Add(i, record.Permanent(err))
		}
		truncate = truncate || says
	}
	f, err := o.files.Open.At(p.Path, truncate)
	if err != nil {
		return err
	}
	if err := f.Trouble(); err != nil {
		return err
	}
	e := &o.encoder
	h, rows, accepted := f.State.header, append(o.rows[:0], f.State.unend...), false
	defer func() {
		if cap(rows) <= 4*maxBuffer {
			o.rows = rows
		}
	}()
	for _, i := range p.Indices {
		if failures.Has(i) {
			continue
		}
		start := len(rows)
		r, err := e.rowOf(records[i].Payload)
		if err == nil && h == nil {
			h, rows, err = e.begin(&r, rows)
		}
		if err == nil {
			rows, err = e.appendRow(rows, &r, h)
		}
		if err != nil {
			failures.Add(i, record.Permanent(err))
			rows = rows[:start]
			if !accepted {
				h = f.State.header // this record does not decide about the columns
			}
			continue
		}
		accepted = true
		if len(rows) >= maxBuffer {
			if err := f.Write(rows); err != nil {
				return f.Cut(err)
			}
			rows = rows[:0]
		}
	}
	if !accepted {
		return nil
	}
	if err := f.Write(rows); err != nil {
		return f.Cut(err)
	}
	if o.opts.Sync == SyncPush {
		if err := f.Force(); err != nil {
			return f.Cut(err)
		}
	}
	f.Keep(contents{header: h})
	return nil
}

// begin appends the header of a new file whose first record is r.
func (e *encoder) begin(r *row, rows []byte) (*header, []byte, error) {
	columns := e.columns
	if len(columns) == 0 {
		columns = r.columns()
	}
	if len(columns) == 0 {
		return nil, rows, errors.New("payload has no columns, and the file none yet")
	}
	h := e.newHeader(columns)
	return h, e.appendHeader(rows, h), nil
}
