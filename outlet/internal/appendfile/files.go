package appendfile

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/databay-go/databay/record"
)

// Files starts, writes to and shuts down the files of an outlet. It is safe for
// concurrent use. The fields are set before, but for Open.
type Files[S any] struct {
	Package string             // begins the errors
	Path    string             // of the file of records that name no other
	Key     record.Key[string] // of the path of a record's file
	Load    Load[S]
	MaxOpen int
	Anew    bool          // what the file has at the start will be removed
	Beside  bool          // files will be made beside it
	Synced  bool          // files are synced before they are closed
	Every   time.Duration // after which files are synced; 0: not by themselves

	// Open is what is open. It is for the write of a Push.
	Open *Set[S]

	starting sync.Mutex // held by Start and Shutdown
	stopSync func()     // nil: nothing syncs by itself
	mu       sync.Mutex // of Open and parts
	parts    Parts
}

// Check checks that the file at Path can be written, loaded, and have others beside it. It
// makes no file and changes none.
func (f *Files[S]) Check(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.check(f.newSet())
}

func (f *Files[S]) newSet() *Set[S] { return NewSet(f.Package, f.MaxOpen, f.Synced, f.Load) }

func (f *Files[S]) check(set *Set[S]) error {
	path := filepath.Clean(f.Path)
	err := set.Check(path, f.Anew)
	if err == nil && f.Beside && Regular(path) == nil {
		err = Probe(filepath.Dir(Resolved(path)), f.Package)
	}
	return err
}

// Start makes the folder of the file at Path, and checks what Check does.
func (f *Files[S]) Start(ctx context.Context) error {
	f.starting.Lock()
	defer f.starting.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f.Open != nil {
		return errors.New(f.Package + ": already started")
	}
	if err := Prepare(f.Path, f.Synced); err != nil {
		return err
	}
	set := f.newSet()
	if err := f.check(set); err != nil {
		return err
	}
	f.Open, f.parts = set, Parts{Key: f.Key, Default: f.Path}
	if f.Every > 0 {
		f.stopSync = Repeat(f.Every, f.sync)
	}
	return nil
}

func (f *Files[S]) sync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Open.Sync()
}

// Shutdown closes all files. It does nothing without a Start.
func (f *Files[S]) Shutdown() error {
	f.starting.Lock()
	defer f.starting.Unlock()
	if f.stopSync != nil {
		f.stopSync()
		f.stopSync = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Open == nil {
		return nil
	}
	err := f.Open.Close()
	f.Open, f.parts = nil, Parts{}
	return err
}

// Push calls write for the records of one file after another, of which it answers what
// that of [Each] does. The calls of write are never side by side.
func (f *Files[S]) Push(ctx context.Context, records []record.Record, write func(p Part, failures *record.Failures) (int, error)) error {
	if len(records) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Open == nil {
		return errors.New(f.Package + ": not started")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failures record.Failures
	Each(ctx, f.parts.Of(records, &failures), &failures, func(p Part) (int, error) { return write(p, &failures) })
	return failures.Err()
}
