package record

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Partial is the error of a processor or an outlet that failed for some of the
// records it was given: those at the indices of Failed. The rest is done. One that
// does not pass [Partial.Check] is a mistake of its author and counts as a failure
// of all.
type Partial struct {
	Failed map[int]error // by the index in what was given
}

// Indices returns the failed indices in ascending order.
func (p *Partial) Indices() []int {
	var indices []int
	for i := range p.Failed {
		indices = append(indices, i)
	}
	ascend(indices)
	return indices
}

// ascend sorts n, as a heap. It is here for its size: [slices.Sort] adds 4 kB to every
// program.
func ascend(n []int) {
	for start, end := len(n)/2, len(n); end > 1; {
		if start > 0 {
			start--
		} else {
			end--
			n[0], n[end] = n[end], n[0]
		}
		for root := start; ; {
			child := 2*root + 1
			if child+1 < end && n[child] < n[child+1] {
				child++
			}
			if child >= end || n[child] <= n[root] {
				break
			}
			n[root], n[child] = n[child], n[root]
			root = child
		}
	}
}

// Error names the first three failed records.
func (p *Partial) Error() string {
	const shown = 3
	indices := p.Indices()
	var b strings.Builder
	fmt.Fprintf(&b, "%d failed", len(indices))
	for n, i := range indices {
		if n == shown {
			fmt.Fprintf(&b, "; and %d more", len(indices)-shown)
			break
		}
		sep := "; "
		if n == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%srecord %d: %v", sep, i, p.Failed[i])
	}
	return b.String()
}

// Unwrap returns the causes in the order of their indices.
func (p *Partial) Unwrap() []error {
	errs := make([]error, 0, len(p.Failed))
	for _, i := range p.Indices() {
		errs = append(errs, p.Failed[i])
	}
	return errs
}

// AsPartial returns the [Partial] that err is or wraps, or nil. It follows single
// wrapping only: of errors joined, the others may mean more.
func AsPartial(err error) *Partial {
	for ; err != nil; err = errors.Unwrap(err) {
		if p, ok := err.(*Partial); ok {
			return p
		}
	}
	return nil
}

// Check returns what is wrong with p as the answer to n records: no index, one
// that is out of range, or one with a nil error. It returns nil if p is right.
func (p *Partial) Check(n int) error {
	if len(p.Failed) == 0 {
		return errors.New("a Partial without an index, want those of the failed records")
	}
	for _, i := range p.Indices() {
		if i < 0 || i >= n {
			return fmt.Errorf("a Partial with the index %d, want 0 to %d", i, n-1)
		}
		if p.Failed[i] == nil {
			return fmt.Errorf("a Partial with a nil error at the index %d", i)
		}
	}
	return nil
}

// Failures collects the failures of single records. The zero value is ready to
// use.
type Failures struct {
	failed map[int]error
}

// Add notes that the record at index i failed because of err. A nil err is
// nothing; of several errors of one record the first counts.
func (f *Failures) Add(i int, err error) {
	if err == nil {
		return
	}
	if f.failed == nil {
		f.failed = make(map[int]error)
	}
	if _, ok := f.failed[i]; !ok {
		f.failed[i] = err
	}
}

// Has reports whether a failure of the record at index i was noted.
func (f *Failures) Has(i int) bool { return f.failed[i] != nil }

// Err returns a [*Partial] of what was noted, or nil if nothing was.
func (f *Failures) Err() error {
	if len(f.failed) == 0 {
		return nil
	}
	return &Partial{maps.Clone(f.failed)}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks err as one that no repetition mends: the record is malformed,
// the table does not exist. It returns nil for a nil err.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or anything it wraps, was marked with
// [Permanent]. Of a [Partial] one permanent cause is enough.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

// RetryAfterError is an error whose cause will not go away before a time has
// passed.
type RetryAfterError struct {
	After time.Duration // counted from when the error is returned
	Err   error
}

// Error returns the cause and how long to wait.
func (e *RetryAfterError) Error() string {
	return fmt.Sprintf("%v (retry after %v)", e.Err, e.After)
}

// Unwrap returns the cause.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter marks err as one that asks for a pause: an outlet that answers
// with it is not offered anything again before d has passed. A d that is not
// positive asks for none. It returns nil for a nil err.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &RetryAfterError{d, err}
}
