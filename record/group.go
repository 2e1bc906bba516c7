package record

import (
	"context"
	"fmt"
)

// Grouper cuts batches into others and orders them. Each batch it returns is
// pushed by itself. The first grouper of a link gets one batch of all records.
//
// A grouper only cuts and reorders: it returns every record it was given, once.
// A link counts, and treats a difference as a failure. Whatever error it
// returns, its batches are ignored and the records are given to it again. A link
// never calls a grouper concurrently with itself. The batches given are
// read-only; those returned may be parts of them.
type Grouper interface {
	Group(ctx context.Context, batches [][]Record) ([][]Record, error)
}

// GrouperFunc is a function as a [Grouper].
type GrouperFunc func(ctx context.Context, batches [][]Record) ([][]Record, error)

// Group calls f.
func (f GrouperFunc) Group(ctx context.Context, batches [][]Record) ([][]Record, error) {
	return f(ctx, batches)
}

// By returns a grouper that cuts every batch by a key of the payload, a T.
// Groups stand in the order in which their keys first appear, records in the
// order in which they come. A payload that is no T is an error. A nil key is an
// error of the grouper's Validate, which links call before they start.
func By[T any, K comparable](key func(T) K) Grouper {
	name := "by(" + typeName[T]() + ")"
	return cutter{name, noFunction(name, key == nil), func(batches [][]Record) ([][]Record, error) {
		var out [][]Record
		for b, batch := range batches {
			place := make(map[K]int)
			for i, r := range batch {
				v, err := As[T](r)
				if err != nil {
					return nil, fmt.Errorf("batch %d, record %d: %w", b, i, err)
				}
				k := key(v)
				at, ok := place[k]
				if !ok {
					at = len(out)
					place[k] = at
					out = append(out, nil)
				}
				out[at] = append(out[at], r)
			}
		}
		return out, nil
	}}
}

// Chunk returns a grouper that cuts every batch into batches of n records, the
// last one with what is left. An n below 1 is an error of the grouper's
// Validate, which links call before they start.
func Chunk(n int) Grouper {
	name := fmt.Sprintf("chunk(%d)", n)
	if n < 1 {
		return cutter{name: name, invalid: fmt.Errorf("record.Chunk: n is %d, want at least 1", n)}
	}
	return cutter{name: name, cut: func(batches [][]Record) ([][]Record, error) {
		count := 0
		for _, batch := range batches {
			count += len(batch)/n + min(len(batch)%n, 1)
		}
		out := make([][]Record, 0, count)
		for _, batch := range batches {
			for len(batch) > 0 {
				size := min(n, len(batch))
				out = append(out, batch[:size:size])
				batch = batch[size:]
			}
		}
		return out, nil
	}}
}

// cutter is a grouper that exists only as a function. It cannot be compared, so
// that it is not taken for the same node elsewhere: it keeps nothing, and may be
// used in several places.
type cutter struct {
	name    string
	invalid error
	cut     func(batches [][]Record) ([][]Record, error)
}

func (c cutter) Validate() error { return c.invalid }
func (c cutter) String() string  { return c.name }

func (c cutter) Group(_ context.Context, batches [][]Record) ([][]Record, error) {
	if c.invalid != nil {
		return nil, c.invalid
	}
	return c.cut(batches)
}
