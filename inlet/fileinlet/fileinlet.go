package fileinlet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// The metadata of records.
var (
	Path   = record.NewKey[string]("fileinlet.path")  // that of the inlet
	Offset = record.NewKey[int64]("fileinlet.offset") // of the line, in bytes of the content
	Line   = record.NewKey[int64]("fileinlet.line")   // the number of the line, from 1
)

// Inlet pulls from a file. It is made by [New].
type Inlet struct {
	path    string
	opts    Options
	errs    []error
	chars   charset
	gzipped bool
	about   record.Attr // Path

	busy    chan struct{} // holds one value while somebody uses what follows
	started bool
	sought  bool      // c stands where it was set to, or has been used
	c       *cursor   // nil: not started, or Whole
	trail   []*cursor // those that the running pull has left
	last    place     // of c, as it was noted last
	undo    *place    // where c is to be set back to
	real    string    // where the path led to when it was last looked at
	rows    rows
	seen    *version // of Whole
	old     bool     // what was seen had not been written just before

	position atomic.Pointer[[]byte]
}

var (
	_ inlet.Inlet      = (*Inlet)(nil)
	_ inlet.Starter    = (*Inlet)(nil)
	_ inlet.Shutdowner = (*Inlet)(nil)
	_ inlet.Validator  = (*Inlet)(nil)
	_ inlet.Checker    = (*Inlet)(nil)
	_ inlet.Positioner = (*Inlet)(nil)
	_ inlet.Seeker     = (*Inlet)(nil)
	_ fmt.Stringer     = (*Inlet)(nil)
)

// New returns an inlet that reads the file of a path. The options may be nil.
// Mistakes are what Validate reports.
func New(path string, opts *Options) *Inlet {
	in := &Inlet{
		path:  path,
		opts:  opts.resolve(),
		about: Path.Of(path),
		busy:  make(chan struct{}, 1),
		real:  path,
	}
	in.gzipped = in.opts.Gzip || strings.EqualFold(filepath.Ext(path), ".gz")
	in.rows.opts = in.opts.CSV
	in.chars, _ = newCharset(in.opts.Encoding) // a mistake is one of the options too
	if path == "" {
		in.errs = append(in.errs, errors.New("fileinlet: the path is empty, want that of a file"))
	}
	if opts != nil {
		in.errs = append(in.errs, opts.mistakes()...)
	}
	return in
}

// String returns "fileinlet(path)". It keys the stored position: a path that is
// written differently is another one.
func (in *Inlet) String() string { return "fileinlet(" + in.path + ")" }

// Validate reports every mistake of the path and the options. It does not look at
// the file.
func (in *Inlet) Validate() error { return errors.Join(in.errs...) }

// Check opens the file for reading and closes it again. With Options.Wait the file may
// be missing. It needs no Start.
func (in *Inlet) Check(ctx context.Context) error {
	if err := in.Validate(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	c, err := in.openOrWait()
	if err == nil {
		c.close()
	}
	return err
}

// take waits until nobody else uses the inlet.
func (in *Inlet) take(ctx context.Context) error {
	select {
	case in.busy <- struct{}{}:
		return nil
	default:
	}
	select {
	case in.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s is in use by a call that does not return: %w", in.path, ended(ctx))
	}
}

func (in *Inlet) leave() { <-in.busy }

// Start opens the file.
func (in *Inlet) Start(ctx context.Context) error {
	if err := in.Validate(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.leave()
	if in.started {
		return errors.New("fileinlet: already started")
	}
	c, err := in.openOrWait()
	if err != nil {
		return err
	}
	if in.opts.Whole {
		c.close()
		c = nil
	}
	in.started, in.sought, in.c, in.undo, in.seen, in.old = true, false, c, nil, nil, false
	in.locate()
	return nil
}

// openOrWait opens the file of the path, or returns a cursor that waits for it.
func (in *Inlet) openOrWait() (*cursor, error) {
	c, err := in.openCursor(in.path)
	if errors.Is(err, os.ErrNotExist) && in.opts.Wait {
		return &cursor{place: place{Generation: -1, Modified: math.MaxInt64}}, nil
	}
	if err == nil {
		// What was written to other files until now is none of its business. The clock
		// of file systems may be a little slow.
		c.Modified = max(c.Modified, time.Now().Add(-10*time.Millisecond).UnixNano())
	}
	return c, err
}

// Shutdown closes the file. It does nothing if the inlet is not started.
func (in *Inlet) Shutdown(ctx context.Context) error {
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.leave()
	in.started = false
	in.closeTrail()
	if in.c != nil {
		in.c.close()
		in.c = nil
	}
	return nil
}

func (in *Inlet) closeTrail() {
	for _, c := range in.trail {
		c.close()
	}
	in.trail = nil
}

// Seek sets the inlet to a position. Nil is the beginning of the file or, with
// Options.FromEnd, its end. A position in a file that has been renamed meanwhile is
// found; see the package's documentation.
func (in *Inlet) Seek(ctx context.Context, b []byte) error {
	var p position
	if b != nil {
		var err error
		if p, err = decodePosition(b, in.opts.Whole); err != nil {
			return err
		}
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.leave()
	switch {
	case !in.started:
		return errNotStarted
	case in.opts.Whole:
		in.seen, in.old = p.Whole, false
		in.locate()
		return nil
	}
	c, err := in.at(ctx, p.Lines)
	if err != nil {
		return err
	}
	if c != in.c {
		in.c.close()
	}
	in.c, in.undo, in.sought = c, nil, true
	in.locate()
	return nil
}

var errNotStarted = errors.New("fileinlet: not started")

// at returns a cursor at a place. It may be the one that there is.
func (in *Inlet) at(ctx context.Context, p *place) (*cursor, error) {
	if p != nil {
		return in.find(ctx, p)
	}
	c := in.c
	if in.sought {
		var err error
		if c, err = in.openOrWait(); err != nil {
			return nil, err
		}
	}
	if !in.opts.FromEnd || c.file == nil {
		return c, nil
	}
	size := c.info.Size()
	if in.gzipped {
		size = math.MaxInt64
	}
	err := in.scan(ctx, c, size)
	if in.gzipped && err == nil {
		c.Offset = c.end()
	}
	if err != nil && c != in.c {
		c.close()
	}
	return c, err
}

// Position returns where the inlet stands, as JSON.
func (in *Inlet) Position() []byte {
	if p := in.position.Load(); p != nil {
		return *p
	}
	return nil
}

// locate notes where the inlet stands.
func (in *Inlet) locate() {
	var p position
	if in.opts.Whole {
		p.Whole = in.seen
	} else {
		in.last = *in.c.where()
		if in.last.Generation >= 0 {
			p.Lines = new(in.last)
		}
	}
	if p == (position{}) {
		in.position.Store(nil)
		return
	}
	in.position.Store(new(p.encode()))
}

// ended returns the error of a context that has ended, and its cause.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}
