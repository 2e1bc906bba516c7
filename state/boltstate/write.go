package boltstate

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/internal/boltfile"
	"github.com/databay-go/databay/state"
)

// write is a Put that waits to be on the disk.
type write struct {
	key   string
	value []byte // framed
	rev   int64
	err   error // set before done is closed
	done  chan struct{}
}

// enqueue makes w part of the next transaction.
func (s *Store) enqueue(w *write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("the store is closed: %w", fs.ErrClosed)
	}
	s.waiting = append(s.waiting, w)
	s.pace.note(w.key, time.Now())
	if !s.writing {
		s.writing = true
		s.work.Go(s.writeAll)
	} else if len(s.waiting) >= s.pace.keys() {
		s.hurry()
	}
	return nil
}

// hurry ends the wait for company.
func (s *Store) hurry() {
	select {
	case s.full <- struct{}{}:
	default:
	}
}

// withdraw takes w back and reports whether that was possible.
func (s *Store) withdraw(w *write) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, w)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return true
}

// writeAll writes transactions until nobody waits for one.
func (s *Store) writeAll() {
	for {
		s.gather()
		s.mu.Lock()
		group := s.waiting
		s.waiting = nil
		if len(group) == 0 {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.pace.begun = time.Now()
		s.mu.Unlock()
		s.commit(group)
		for _, w := range group {
			close(w.done)
		}
	}
}

// gather waits for company, if that is to be expected.
func (s *Store) gather() {
	s.mu.Lock()
	wait := s.pace.wait(time.Now())
	if len(s.waiting) == 0 || len(s.waiting) >= s.pace.keys() || s.closed {
		wait = 0
	}
	select {
	case <-s.full: // of an earlier transaction
	default:
	}
	s.mu.Unlock()
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.full:
	}
}

// commit writes a group in one transaction, and if that fails, each of it in one of
// its own: a value too large for the disk is nobody else's failure.
func (s *Store) commit(group []*write) {
	err := s.file.Update(func(tx *bolt.Tx) error { return put(tx, group) })
	switch {
	case err == nil, errors.Is(err, errNothing):
	case len(group) == 1, boltfile.IsDamaged(err):
		for _, w := range group {
			w.err = err
		}
	default:
		for i := range group {
			s.commit(group[i : i+1])
		}
	}
}

// errNothing is the error of a transaction that has nothing to write.
var errNothing = errors.New("nothing is to be written")

// put writes those of a group whose revision is current. The others get an error.
func put(tx *bolt.Tx, group []*write) error {
	b := tx.Bucket(bucket)
	n := 0
	for _, w := range group {
		_, rev, err := get(b, w.key)
		switch {
		case err != nil:
			w.err = err
		case rev != w.rev:
			w.err = state.ErrConflict
		default:
			w.err = nil
			if err := b.Put(stored(w.key), w.value); err != nil {
				return err
			}
			n++
		}
	}
	if n == 0 {
		return errNothing
	}
	return nil
}

const (
	few      = 8                     // keys a second that each may have transactions of their own
	interval = 20 * time.Millisecond // from one transaction to the next, if there are more
	window   = time.Second           // in which keys are counted
)

// pace tells how long a transaction waits for company.
type pace struct {
	begun       time.Time // the last transaction
	since       time.Time // when the present window began
	now, before map[string]struct{}
}

// note counts a key that is written.
func (p *pace) note(key string, now time.Time) {
	if age := now.Sub(p.since); age >= window {
		p.before, p.now, p.since = p.now, make(map[string]struct{}), now
		if age >= 2*window {
			p.before = nil
		}
	}
	p.now[key] = struct{}{}
}

// keys returns how many keys are written within a window.
func (p *pace) keys() int { return max(len(p.now), len(p.before)) }

func (p *pace) wait(now time.Time) time.Duration {
	if p.keys() <= few {
		return 0
	}
	return p.begun.Add(interval).Sub(now)
}
