package csvoutlet

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// File is the metadata key of the path of the file that a record goes to, instead
// of the outlet's.
var File = record.NewKey[string]("csvoutlet.file")

// maxBuffer is how many bytes of rows are collected before they are written.
const maxBuffer = 256 << 10

// Outlet appends records to CSV files. It is safe for concurrent use.
type Outlet struct {
	path string
	opts Options

	mu        sync.Mutex // of everything below
	started   bool
	encoder   encoder
	open      map[string]*list.Element // of *file, by path
	recent    *list.List               // those used last first
	truncated map[string]bool          // by path without symbolic links
	late      []error                  // of closing files between pushes
	rows      []byte
	all       []int // 0, 1, 2, …
}

var (
	_ outlet.Outlet     = (*Outlet)(nil)
	_ outlet.Starter    = (*Outlet)(nil)
	_ outlet.Shutdowner = (*Outlet)(nil)
	_ outlet.Validator  = (*Outlet)(nil)
	_ outlet.Reader     = (*Outlet)(nil)
	_ fmt.Stringer      = (*Outlet)(nil)
)

// New returns an outlet that appends to the file at path those records that name no
// [File]. The options may be nil. Mistakes are what Validate reports.
func New(path string, opts *Options) *Outlet {
	return &Outlet{path: path, opts: opts.resolve()}
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

// Start makes the folder of the outlet's file and checks that the file can be
// written and, if it exists, that its columns fit. It makes no file and changes
// none: a temporary one, removed at once, shows whether the folder can be written.
func (o *Outlet) Start(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.Validate(); err != nil {
		return err
	}
	if o.started {
		return errors.New("csvoutlet: already started")
	}
	o.encoder = newEncoder(o.opts)
	if err := o.check(filepath.Clean(o.path)); err != nil {
		return err
	}
	o.open, o.recent = make(map[string]*list.Element), list.New()
	o.truncated = make(map[string]bool)
	o.started = true
	return nil
}

func (o *Outlet) check(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	err := regular(path)
	if errors.Is(err, fs.ErrNotExist) {
		probe, err := os.CreateTemp(folder, ".csvoutlet-*")
		if err != nil {
			return fmt.Errorf("cannot make files in %s: %w", folder, err)
		}
		return errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return err
	}
	handle, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	info, err := handle.Stat()
	if err == nil && !o.opts.Truncate {
		err = o.encoder.load(&file{path: path, handle: handle, undo: -1}, info.Size())
	}
	return errors.Join(err, handle.Close())
}

// Shutdown closes all files. It does nothing if the outlet is not started.
func (o *Outlet) Shutdown(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.started {
		return nil
	}
	for o.recent.Len() > 0 {
		o.close(o.recent.Back())
	}
	err := errors.Join(o.late...)
	o.started, o.late, o.rows, o.all, o.truncated = false, nil, nil, nil, nil
	return err
}

// Push appends the records to their files, in their order. When ctx ends, those for
// files whose turn has not come are not accepted.
func (o *Outlet) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	if len(records) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.started {
		return errors.New("csvoutlet: not started")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failures record.Failures
	for _, p := range o.parts(records, &failures) {
		err := context.Cause(ctx)
		if err == nil {
			err = o.write(p, records, &failures)
		}
		if err != nil {
			for _, i := range p.indices {
				failures.Add(i, err)
			}
		}
	}
	return failures.Err()
}

// part is what goes to one file.
type part struct {
	path    string
	indices []int
}

// parts returns the files that records go to, in the order in which they first
// appear.
func (o *Outlet) parts(records []record.Record, failures *record.Failures) []part {
	for len(o.all) < len(records) {
		o.all = append(o.all, len(o.all))
	}
	path := filepath.Clean(o.path)
	elsewhere := 0
	for elsewhere < len(records) && records[elsewhere].Metadata.Len() == 0 {
		elsewhere++
	}
	if elsewhere == len(records) {
		return []part{{path, o.all[:len(records)]}}
	}
	var parts []part
	place := make(map[string]int)
	for i, r := range records {
		to := path
		if v, ok := r.Metadata.Get(File.Name()); ok {
			s, _ := v.(string)
			if s == "" {
				failures.Add(i, record.Permanent(fmt.Errorf("metadata %s is %#v, want the path of a file", File.Name(), v)))
				continue
			}
			to = filepath.Clean(s)
		}
		at, ok := place[to]
		if !ok {
			at = len(parts)
			place[to] = at
			parts = append(parts, part{path: to})
		}
		parts[at].indices = append(parts[at].indices, i)
	}
	return parts
}

// write appends the records of p to its file. Its error is one of all of them; then
// the file is as it was before.
func (o *Outlet) write(p part, records []record.Record, failures *record.Failures) error {
	f, err := o.fileAt(p.path)
	if err != nil {
		return err
	}
	e := &o.encoder
	h, rows, written, accepted := f.header, append(o.rows[:0], f.unend...), int64(0), false
	defer func() {
		if cap(rows) <= 4*maxBuffer {
			o.rows = rows
		}
	}()
	for _, i := range p.indices {
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
				h = f.header // this record does not decide about the columns
			}
			continue
		}
		accepted = true
		if len(rows) >= maxBuffer {
			if err := f.write(rows, &written); err != nil {
				return f.cut(err)
			}
			rows = rows[:0]
		}
	}
	if !accepted {
		return nil
	}
	if err := f.write(rows, &written); err != nil {
		return f.cut(err)
	}
	f.size += written
	f.header, f.unend = h, ""
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

// fileAt returns the file at path, opened if need be.
func (o *Outlet) fileAt(path string) (*file, error) {
	if el, ok := o.open[path]; ok {
		f := el.Value.(*file)
		info, err := os.Stat(path)
		if err == nil && os.SameFile(info, f.info) {
			o.recent.MoveToFront(el)
			if info.Size() == f.size && f.undo < 0 {
				return f, nil
			}
			return f, o.encoder.load(f, info.Size())
		}
		o.close(el) // it was removed, or replaced by another
	}
	real, err := filepath.EvalSymlinks(path)
	truncate := o.opts.Truncate && err == nil && !o.truncated[real]
	for o.opts.MaxOpen > 0 && o.recent.Len() >= o.opts.MaxOpen {
		o.close(o.recent.Back())
	}
	f, err := o.encoder.openFile(path, truncate)
	if err != nil {
		return nil, err
	}
	if o.opts.Truncate {
		if real, err = filepath.EvalSymlinks(path); err == nil {
			o.truncated[real] = true
		}
	}
	for el := o.recent.Front(); el != nil; el = el.Next() {
		if same := el.Value.(*file); os.SameFile(same.info, f.info) { // by another path
			o.recent.MoveToFront(el)
			return same, errors.Join(f.close(), o.encoder.load(same, f.info.Size()))
		}
	}
	o.open[path] = o.recent.PushFront(f)
	return f, nil
}

// close closes a file. Its error is one of Shutdown: the pushes are answered.
func (o *Outlet) close(el *list.Element) {
	f := o.recent.Remove(el).(*file)
	delete(o.open, f.path)
	if err := f.close(); err != nil {
		o.late = append(o.late, fmt.Errorf("csvoutlet: closing %s: %w", f.path, err))
	}
}
