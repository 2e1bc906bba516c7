package fileoutlet

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/text/encoding"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/internal/appendfile"
	"github.com/databay-go/databay/record"
)

// Metadata keys of a record, which win over the outlet's path and options.
var (
	// File is the key of the path of the file that the record goes to.
	File = record.NewKey[string]("fileoutlet.file")

	// Truncate is the key of whether the record's file is emptied, once after a
	// start, before the push that brings the first record that says so. It is not
	// used where the outlet replaces files.
	Truncate = record.NewKey[bool]("fileoutlet.truncate")

	// Encoding is the key of the encoding of the record's file. A file has one: of
	// records of one push, and of those that come while the file is kept open, one
	// with another encoding than the first fails for good.
	Encoding = record.NewKey[encoding.Encoding]("fileoutlet.encoding")
)

// maxBuffer is how many bytes of lines are collected before they are written.
const maxBuffer = 256 << 10

// Outlet appends records to text files. It is safe for concurrent use.
type Outlet struct {
	path   string
	opts   Options
	tabbed bool // lines begin with the ID and a tab
	files  appendfile.Files[contents]

	// These are of the Push that writes.
	codecs  map[encoding.Encoding]*codec
	lines   []byte
	scratch []byte
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
	o := &Outlet{path: path, opts: opts.resolve(), codecs: make(map[encoding.Encoding]*codec), scratch: make([]byte, 0, 1<<10)}
	o.files = appendfile.Files[contents]{
		Package: "fileoutlet", Path: path, Key: File, Load: load, MaxOpen: o.opts.MaxOpen,
		Anew: o.opts.Truncate || o.opts.Replace, Beside: o.opts.Replace || o.opts.Rotate != (Rotate{}),
		Synced: o.opts.Sync != SyncNever, Every: o.opts.SyncEvery,
	}
	if o.opts.Idempotent && o.opts.IDOf == nil {
		o.tabbed, o.opts.IDOf = true, idBeforeTab
	}
	return o
}

// String returns "fileoutlet(path)".
func (o *Outlet) String() string { return "fileoutlet(" + o.path + ")" }

// ReadOnly returns true.
func (o *Outlet) ReadOnly() bool { return true }

// Validate reports every mistake of the path and the options. It does not look at
// files.
func (o *Outlet) Validate() error {
	var err error
	if o.path == "" {
		err = errors.New("fileoutlet: path is empty, want that of a file")
	}
	return errors.Join(err, o.opts.validate())
}

// Check checks that the outlet's file can be written and, if it will be rotated or
// replaced, that files can be made beside it. It makes no file and changes none: a
// temporary one, removed at once, shows whether a folder can be written. It needs no
// Start.
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

// Push writes the records to their files, in their order. When ctx ends, those for
// files whose turn has not come are not accepted.
func (o *Outlet) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	write := o.append
	if o.opts.Replace {
		write = o.replace
	}
	return o.files.Push(ctx, records, func(p appendfile.Part, failures *record.Failures) (int, error) {
		c, truncate, err := o.manner(p, records, failures)
		if c == nil {
			return 0, err // nothing is left
		}
		return write(&batch{p, records, failures, c, truncate})
	})
}

// batch is the records that go to one file, and how.
type batch struct {
	appendfile.Part
	records  []record.Record
	failures *record.Failures // also those that are not to be written
	codec    *codec
	truncate bool
}

// manner returns how the file of p is written. Records that want another encoding
// than the first one fail. The codec is nil if none is left.
func (o *Outlet) manner(p appendfile.Part, records []record.Record, failures *record.Failures) (first *codec, truncate bool, err error) {
	fallback, err := o.codecOf(o.opts.Encoding)
	if err != nil {
		return nil, false, err
	}
	for _, i := range p.Indices {
		r := records[i]
		if r.Metadata.Len() == 0 {
			if first == nil {
				first = fallback
			}
			if first == fallback {
				truncate = truncate || o.opts.Truncate
				continue
			}
		}
		c, says, err := o.wishes(r, fallback)
		if err == nil && first != nil && c != first {
			err = fmt.Errorf("metadata %s is %s, want that of the records before, %s: a file has one encoding", Encoding.Name(), c.name, first.name)
		}
		if err != nil {
			failures.Add(i, record.Permanent(err))
			continue
		}
		first, truncate = c, truncate || says
	}
	return first, truncate, nil
}

// wishes returns what the metadata of r say about its file.
func (o *Outlet) wishes(r record.Record, fallback *codec) (c *codec, truncate bool, err error) {
	c = fallback
	if v, ok := r.Metadata.Get(Encoding.Name()); ok {
		e, ok := v.(encoding.Encoding)
		if !ok {
			return nil, false, fmt.Errorf("metadata %s is a %T, want an encoding of golang.org/x/text", Encoding.Name(), v)
		}
		if c, err = o.codecOf(e); err != nil {
			return nil, false, fmt.Errorf("metadata %s: %w", Encoding.Name(), err)
		}
		if o.opts.Idempotent && c != fallback {
			return nil, false, fmt.Errorf("metadata %s is %s, want none in an idempotent outlet", Encoding.Name(), c.name)
		}
	}
	if truncate, err = appendfile.Flag(r, Truncate, o.opts.Truncate); err != nil {
		return nil, false, err
	}
	if truncate && o.opts.Idempotent {
		return nil, false, fmt.Errorf("metadata %s is true, want false in an idempotent outlet", Truncate.Name())
	}
	return c, truncate, nil
}
