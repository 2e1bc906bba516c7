package link

import (
	"fmt"
	"sync"
)

// DeadLetterLimit bounds how many of the records that a lane, or the stages of a link,
// are done with may be dead letters: with more than Max of the last Of the link stops.
// It is then [ErrTooManyDeadLetters] for every further transfer until it is started
// again; what was not written by then stays where it is. The letters up to the one
// that is too many are written. Optional lanes, which stop nothing, have no bound. The
// zero value is none for the others either.
type DeadLetterLimit struct {
	Max int
	Of  int
}

// letterLimit is the limit of a link.
type letterLimit struct {
	DeadLetterLimit
	reached error // why nothing is delivered any more; nil: it is. Guarded by Link.mu
}

// halted returns why nothing is delivered any more, or nil. l.mu is held.
func (l *Link) halted() error {
	if l.limit == nil {
		return nil
	}
	return l.limit.reached
}

func (m *mistakes) limit(field string, d DeadLetterLimit) {
	if d.Max < 0 || d.Of < 0 || d.Max > 0 && d.Of <= d.Max {
		m.add("%s is %d of %d, want Max to be 0 or more and less than Of", field, d.Max, d.Of)
	}
}

// window counts the dead letters among the last records. A nil window has no bound.
type window struct {
	arrivals bool // records are counted when they come, dead letters not once more

	mu       sync.Mutex
	of       int64
	size     int64   // Max+1
	seen     int64   // records
	failures []int64 // where in them the last dead letters were, up to size; a ring
	count    int64   // dead letters
}

func newWindow(d *letterLimit) *window {
	if d == nil || d.Of == 0 {
		return nil
	}
	return &window{of: int64(d.Of), size: int64(d.Max) + 1}
}

// pass counts n records that are delivered.
func (w *window) pass(n int64) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen += n
}

// fail counts n dead letters.
func (w *window) fail(n int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		if !w.arrivals {
			w.seen++
		}
		if at := w.count % w.size; at < int64(len(w.failures)) {
			w.failures[at] = w.seen
		} else {
			w.failures = append(w.failures, w.seen)
		}
		w.count++
	}
}

// room returns how many of n dead letters may be written: up to the one that is too
// many.
func (w *window) room(n int) int {
	if w == nil {
		return n
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n { // with i more, would the next one be allowed still?
		if w.over(int64(i)) {
			return i
		}
	}
	return n
}

// exceeded reports whether there are too many.
func (w *window) exceeded() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over(0)
}

// over reports whether there are too many when i more have been written. w.mu is held.
func (w *window) over(i int64) bool {
	seen := w.seen
	if !w.arrivals {
		seen += i
	}
	oldest := w.count + i - w.size // of the last Max+1
	switch {
	case oldest < 0:
		return false
	case oldest >= w.count: // it is one of the i
		return w.size <= w.of
	}
	return w.failures[oldest%w.size] > seen-w.of
}

// tooMany returns the error of a window that is exceeded.
func (w *window) tooMany() error {
	return fmt.Errorf("%w: more than %d of the last %d records", ErrTooManyDeadLetters, w.size-1, w.of)
}
