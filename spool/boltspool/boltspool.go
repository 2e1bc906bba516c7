package boltspool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/internal/boltfile"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// Options say how much is kept, and how the file is opened. The zero value is ready
// to use.
type Options struct {
	// MaxBytes bounds what the records take: their encoded bytes and 20 more for
	// each. The file is somewhat larger. Zero is 1 GiB, -1 no bound.
	MaxBytes int64

	// LockTimeout is how long Start waits for a file that is held by another
	// process or Spool. Zero is a second, -1 for ever.
	LockTimeout time.Duration

	// Mode is the permissions of a file that Start makes, before umask. Zero is
	// 0600.
	Mode fs.FileMode

	// OnDamage is told what is found damaged: by Start for a file, with the name
	// it has now, and at every Read for a record. It may be called concurrently.
	// If nil, the default logger is.
	OnDamage func(error)
}

// Spool is a [spool.Spool] in a file. It is safe for concurrent use. Between Start and
// Shutdown it can be used, else its methods fail.
type Spool struct {
	path    string
	codec   spool.Codec
	opts    Options
	invalid error

	mu    sync.Mutex // of calls that write, and of what follows
	file  *boltfile.File
	stats spool.Stats
}

var _ spool.Fitter = (*Spool)(nil)

// New returns the spool in the file at path. It does not touch the file. Nil options
// are the default. Mistakes are errors of [Spool.Validate] and of Start.
func New(path string, codec spool.Codec, opts *Options) *Spool {
	s := &Spool{path: path, codec: codec}
	if opts != nil {
		s.opts = *opts
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("boltspool: "+format, args...)) }
	if path == "" {
		wrong(`the path is "", want that of a file`)
	}
	if codec == nil {
		wrong("the codec is nil, want one for the payloads, as spool.JSON[T]()")
	}
	if s.opts.MaxBytes < -1 {
		wrong("MaxBytes is %d, want at least 1, 0 for 1 GiB, or -1 for no bound", s.opts.MaxBytes)
	}
	if s.opts.LockTimeout < -1 {
		wrong("LockTimeout is %v, want more than 0, 0 for a second, or -1 to wait for ever", s.opts.LockTimeout)
	}
	if m := s.opts.Mode; m&^fs.ModePerm != 0 || m != 0 && m&0o600 != 0o600 {
		wrong("Mode is %#o, want permissions that let the owner read and write, as 0600", uint32(m))
	}
	s.invalid = errors.Join(errs...)
	switch s.opts.MaxBytes {
	case 0:
		s.stats.Limit = 1 << 30
	case -1:
	default:
		s.stats.Limit = s.opts.MaxBytes
	}
	if s.opts.OnDamage == nil {
		s.opts.OnDamage = func(err error) { slog.Default().Error("spool damaged", "error", err) }
	}
	return s
}

// Validate reports all mistakes in what New was given.
func (s *Spool) Validate() error { return s.invalid }

// String returns "boltspool" and the path of the file.
func (s *Spool) String() string { return "boltspool(" + s.path + ")" }

// Start opens the file, and makes it if it does not exist; its folder must. It reads
// all of it. It fails if the file is held by another process, or cannot be read and
// written. Started twice it does nothing.
func (s *Spool) Start(ctx context.Context) error {
	if s.invalid != nil {
		return s.invalid
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		return nil
	}
	err := s.open()
	if boltfile.IsDamaged(err) {
		aside := s.path + time.Now().UTC().Format(".damaged-20060102T150405.000000000")
		if err := os.Rename(s.path, aside); err != nil {
			return s.failed(err)
		}
		s.opts.OnDamage(s.failed(fmt.Errorf("%w; it is %s now, and a new one is begun", err, aside)))
		err = s.open()
	}
	if err != nil {
		return s.failed(err)
	}
	return nil
}

// open opens the file and counts what is in it. s.mu is held.
func (s *Spool) open() error {
	file, err := boltfile.Open(s.path, s.opts.Mode, s.opts.LockTimeout)
	if err != nil {
		return err
	}
	var records int
	var bytes int64
	err = file.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		var strangers [][]byte
		err = b.ForEach(func(k, v []byte) error {
			if !isKey(k) {
				strangers = append(strangers, k)
				return nil
			}
			_ = intact(k, v) // which reads every page; Read reports
			records++
			bytes += size(v)
			return nil
		})
		for _, k := range strangers { // Remove could not
			err = errors.Join(err, b.Delete(k))
			s.opts.OnDamage(s.failed(fmt.Errorf("the key %q, which is none of a spool, is removed", k)))
		}
		return err
	})
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.file, s.stats.Records, s.stats.Bytes = file, records, bytes
	return nil
}

// Shutdown waits for calls that go on, and closes the file. Called twice, or before
// Start, it does nothing.
func (s *Spool) Shutdown(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	s.stats.Records, s.stats.Bytes = 0, 0
	if err != nil {
		return s.failed(err)
	}
	return nil
}

// Stats says how much there is: nothing if the spool is not started.
func (s *Spool) Stats() spool.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Append adds records, in one transaction that is on the disk when it returns. The
// context is looked at before that. A record that is larger than MaxBytes is one that
// cannot be appended.
func (s *Spool) Append(ctx context.Context, records []record.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var failures record.Failures
	frames := make([][]byte, 0, len(records))
	var total int64
	now := time.Now()
	for i, r := range records {
		f, err := s.encode(r, now)
		if err != nil {
			failures.Add(i, record.Permanent(s.failed(err)))
			continue
		}
		frames = append(frames, f)
		total += size(f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.file == nil:
		return s.failed(errStopped)
	case s.stats.Limit > 0 && s.stats.Bytes+total > s.stats.Limit:
		return s.failed(fmt.Errorf("%w: %d bytes of %d are used, and %d more are wanted", spool.ErrFull, s.stats.Bytes, s.stats.Limit, total))
	case len(frames) == 0:
		return failures.Err()
	}
	if err := s.file.Update(func(tx *bolt.Tx) error { return appendTo(tx, frames) }); err != nil {
		return s.failed(err)
	}
	s.stats.Records += len(frames)
	s.stats.Bytes += total
	return failures.Err()
}

// Fits says why Append would refuse r for good: the codec does not know it, or it is
// larger than MaxBytes.
func (s *Spool) Fits(r record.Record) error {
	if _, err := s.encode(r, time.Now()); err != nil {
		return record.Permanent(s.failed(err))
	}
	return nil
}

// encode returns the frame of a record, without its checksum.
func (s *Spool) encode(r record.Record, now time.Time) ([]byte, error) {
	if s.codec == nil {
		return nil, s.invalid
	}
	data, err := s.codec.Encode(r)
	if err != nil {
		return nil, err
	}
	f := frame(data, now)
	if s.stats.Limit > 0 && size(f) > s.stats.Limit {
		return nil, fmt.Errorf("the record takes %d bytes, want at most MaxBytes, %d", size(f), s.stats.Limit)
	}
	return f, nil
}

// Read returns entries, oldest first. What is damaged is told to OnDamage, too. The
// context is looked at before.
func (s *Spool) Read(ctx context.Context, after int64, n int) ([]spool.Entry, error) {
	file, err := s.started(ctx)
	if err != nil {
		return nil, err
	}
	var entries []spool.Entry
	var data [][]byte
	err = file.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Seek(key(max(after, 0) + 1)); k != nil && len(entries) < n; k, v = c.Next() {
			e, d := read(k, v)
			entries, data = append(entries, e), append(data, d)
		}
		return nil
	})
	if err != nil {
		return nil, s.failed(err)
	}
	for i := range entries {
		e := &entries[i]
		if e.Err == nil {
			e.Record, e.Err = s.codec.Decode(data[i])
		}
		if e.Err != nil {
			e.Err = s.failed(fmt.Errorf("record %d: %w", e.Seq, e.Err))
			e.Record = record.New(data[i])
			s.opts.OnDamage(e.Err)
		}
	}
	return entries, nil
}

// Remove removes entries, in one transaction.
func (s *Spool) Remove(ctx context.Context, seqs []int64) error {
	if _, err := s.started(ctx); err != nil || len(seqs) == 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return s.failed(errStopped)
	}
	var records int
	var bytes int64
	err := s.file.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		for _, seq := range seqs {
			k := key(seq)
			v := b.Get(k)
			if v == nil {
				continue
			}
			records++
			bytes += size(v)
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.failed(err)
	}
	s.stats.Records -= records
	s.stats.Bytes -= bytes
	return nil
}

var errStopped = errors.New("the spool is not started")

// started returns the file, if calls can be made.
func (s *Spool) started(ctx context.Context) (*boltfile.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil, s.failed(errStopped)
	}
	return s.file, nil
}

// failed names the file.
func (s *Spool) failed(err error) error { return fmt.Errorf("boltspool: %s: %w", s.path, err) }
