package link

import "fmt"

// DeadLetterLimit bounds how many of the records that a lane, or the stages of a link,
// are done with may be dead letters: with more than Max of the last Of the link stops.
// It is then [ErrTooManyDeadLetters] for every further transfer until it is started
// again; what was not written by then stays where it is. The letters up to the one
// that is too many are written. The zero value is no bound.
type DeadLetterLimit struct {
	Max int
	Of  int
}

func (m *mistakes) limit(field string, d DeadLetterLimit) {
	if d.Max < 0 || d.Of < 0 || d.Max > 0 && d.Of <= d.Max {
		m.add("%s is %d of %d, want Max to be 0 or more and less than Of", field, d.Max, d.Of)
	}
}

// window counts the dead letters among the last records. A nil window has no bound.
type window struct {
	of       int64
	size     int64   // Max+1
	seen     int64   // records
	failures []int64 // where in them the last dead letters were, up to size; a ring
	count    int64   // dead letters
}

func newWindow(d DeadLetterLimit) *window {
	if d.Of == 0 {
		return nil
	}
	return &window{of: int64(d.Of), size: int64(d.Max) + 1}
}

// pass counts n records that are delivered.
func (w *window) pass(n int64) {
	if w != nil {
		w.seen += n
	}
}

// fail counts n dead letters.
func (w *window) fail(n int) {
	for range n {
		if w == nil {
			return
		}
		w.seen++
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
	for i := range n { // with i more, would the next one be allowed still?
		if w.over(int64(i)) {
			return i
		}
	}
	return n
}

// exceeded reports whether there are too many.
func (w *window) exceeded() bool { return w != nil && w.over(0) }

// over reports whether there are too many when i more have been written.
func (w *window) over(i int64) bool {
	oldest := w.count + i - w.size // of the last Max+1
	switch {
	case oldest < 0:
		return false
	case oldest >= w.count: // it is one of the i
		return w.size <= w.of
	}
	return w.failures[oldest%w.size] > w.seen+i-w.of
}

// tooMany returns the error of a window that is exceeded.
func (w *window) tooMany() error {
	return fmt.Errorf("%w: more than %d of the last %d records", ErrTooManyDeadLetters, w.size-1, w.of)
}
