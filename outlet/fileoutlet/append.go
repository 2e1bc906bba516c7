package fileoutlet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/databay-go/databay/outlet/internal/appendfile"
	"github.com/databay-go/databay/record"
)

// contents is what is known of a file.
type contents struct {
	tail   string    // its last bytes
	codec  *codec    // nil: it is not written to yet
	wrote  time.Time // when, last; zero: not by this outlet
	recent *recent   // nil: not known, or the outlet is not idempotent
}

// maxTail is how many bytes a line end has, or more.
const maxTail = 8

// load learns how a file ends.
func load(from io.ReaderAt, _ string, size int64) (contents, error) {
	tail := make([]byte, min(size, maxTail))
	n, err := from.ReadAt(tail, size-int64(len(tail)))
	if n < len(tail) {
		return contents{}, err
	}
	return contents{tail: string(tail)}, nil
}

// appending is a batch on its way to the end of a file.
type appending struct {
	*batch
	o     *Outlet
	f     *appendfile.File[contents]
	now   time.Time
	lines []byte // not written yet
	any   bool   // there are lines of records since the last keep
}

// append writes a batch to the end of its file. It answers how many of the records
// it is done with and, if that is not all, what failed; then of the others nothing is
// left in the file.
func (o *Outlet) append(b *batch) (done int, err error) {
	f, err := o.files.Open.At(b.Path, b.truncate)
	if err != nil {
		return 0, err
	}
	if err := f.Trouble(); err != nil {
		return 0, err
	}
	if c := f.State.codec; c != nil && c != b.codec {
		return 0, record.Permanent(fmt.Errorf("metadata %s is %s, but %s is written in %s: a file has one encoding", Encoding.Name(), b.codec.name, b.Path, c.name))
	}
	a := &appending{batch: b, o: o, f: f, now: time.Now(), lines: o.lines[:0]}
	ended := false
	defer func() {
		if !ended {
			a.f.State.recent = nil
			_ = a.f.Cut(errors.New("the goroutine has ended"))
		}
		if cap(a.lines) <= 4*maxBuffer {
			o.lines = a.lines
		}
	}()
	done, err = a.run()
	ended = true
	if err != nil {
		a.f.State.recent = nil // it has IDs of lines that are cut off
		err = a.f.Cut(err)
	}
	return done, err
}

func (a *appending) run() (done int, err error) {
	if a.o.opts.Idempotent {
		if err := a.recall(); err != nil {
			return 0, fmt.Errorf("%s: reading back what was written: %w", a.Path, err)
		}
	}
	rotate := &a.o.opts.Rotate
	if a.old(rotate.Every) {
		if err := a.next(); err != nil {
			return 0, err
		}
	}
	a.begin()
	for n, i := range a.Indices {
		if a.failures.Has(i) || a.has(a.records[i]) {
			if !a.any {
				done = n + 1 // nothing before it is to be written
			}
			continue
		}
		start := len(a.lines)
		lines, err := a.o.line(a.lines, a.records[i], a.codec)
		if err != nil {
			a.failures.Add(i, record.Permanent(err))
			a.lines = a.lines[:start]
			continue
		}
		a.lines = lines
		if rotate.Size > 0 && (a.any || a.f.Size() > 0) && a.f.Length()+int64(len(a.lines)) > rotate.Size {
			line := slices.Clone(a.lines[start:])
			a.lines = a.lines[:start]
			if err := a.keep(); err != nil {
				return done, err
			}
			done = n
			if err := a.next(); err != nil {
				return done, err
			}
			a.begin()
			a.lines = append(a.lines, line...)
		}
		a.any = true
		if known := a.f.State.recent; known != nil {
			known.add(a.records[i].ID())
		}
		if len(a.lines) >= maxBuffer {
			if err := a.write(); err != nil {
				return done, err
			}
		}
	}
	if err := a.keep(); err != nil {
		return done, err
	}
	return len(a.Indices), nil
}

// has reports whether the line of r was written before, as far as is known.
func (a *appending) has(r record.Record) bool {
	known := a.f.State.recent
	return known != nil && known.has(r.ID())
}

// old reports whether the file was written to before the time in which it is now.
func (a *appending) old(every time.Duration) bool {
	if every == 0 || a.f.Size() == 0 {
		return false
	}
	wrote := a.f.State.wrote
	if wrote.IsZero() {
		wrote = a.f.Modified()
	}
	return wrote.Truncate(every).Before(a.now.Truncate(every))
}

// begin begins the lines.
func (a *appending) begin() {
	a.lines = append(a.lines[:0], a.codec.begin(a.f.Size(), a.f.State.tail)...)
}

// write writes the lines.
func (a *appending) write() error {
	err := a.f.Write(a.lines)
	a.lines = a.lines[:0]
	return err
}

// keep writes the lines and keeps what was written, unless there is no record in it.
func (a *appending) keep() error {
	if !a.any {
		return nil
	}
	if err := a.write(); err != nil {
		return err
	}
	if a.o.opts.Sync == SyncPush {
		if err := a.f.Force(); err != nil {
			return err
		}
	}
	a.f.Keep(contents{tail: a.codec.newline, codec: a.codec, wrote: a.now, recent: a.f.State.recent})
	a.any = false
	return nil
}

// next rotates the file, and goes on with a new one.
func (a *appending) next() error {
	known := a.f.State.recent
	if err := a.o.rotate(a.f); err != nil {
		return fmt.Errorf("cannot rotate %s: %w", a.Path, err)
	}
	f, err := a.o.files.Open.At(a.Path, a.truncate)
	if err == nil {
		a.f = f
		a.f.State.recent = known
	}
	return err
}
