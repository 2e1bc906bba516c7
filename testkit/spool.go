package testkit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// SpoolOptions is what [TestSpool] may be told. The zero value is ready to use.
type SpoolOptions struct {
	// Reopen shuts a spool down and returns one on what that has kept, as after a
	// restart of the process. If nil, that is not tested.
	Reopen func(t *testing.T, s spool.Spool) spool.Spool

	// Small makes a spool that has room for some samples and not for 1,000. If nil,
	// full spools are not tested.
	Small func(t *testing.T) spool.Spool

	// Skip has the rules that do not hold, by name, with the reason.
	Skip map[string]string
}

// TestSpool tests whether the spools that newSpool makes keep the contract of
// [spool.Spool]. Nil options are the default.
//
// Every rule is a subtest with a fresh spool, which is empty and started. Sample
// returns the record of a number from 0, one that the spool's codec knows: a new one
// at every call, equal for equal numbers. The suite gives samples an ID, an inlet and
// metadata.
func TestSpool(t *testing.T, newSpool func(t *testing.T) spool.Spool, sample func(i int) record.Record, opts *SpoolOptions) {
	t.Helper()
	if opts == nil {
		opts = new(SpoolOptions)
	}
	suite(t, spoolChecks(), opts.Skip, func(t *testing.T) *spoolTrial {
		return &spoolTrial{newTrial(t), newSpool, sample, opts}
	})
}

type spoolTrial struct {
	*trial
	make   func(t *testing.T) spool.Spool
	sample func(i int) record.Record
	opts   *SpoolOptions
}

// roll is one spool under test.
type roll struct {
	*spoolTrial
	spool.Spool
}

func (c *spoolTrial) roll(s spool.Spool) *roll {
	if s == nil {
		c.t.Fatal("newSpool made a nil spool")
	}
	return &roll{c, s}
}

func (c *spoolTrial) fresh() *roll { return c.roll(c.make(c.t)) }

// samples returns the records of the numbers from and up to, but not including, to.
func (c *spoolTrial) samples(from, to int) []record.Record {
	records := samples(c.sample, from, to)
	for i, r := range records {
		records[i] = r.WithID(sampleID(from + i)).WithMetadata(record.Attr{Key: "testkit.number", Value: from + i})
	}
	record.Stamp(records, &record.Origin{Inlet: "testkit"})
	return records
}

// add appends the samples of some numbers, which is not to fail.
func (r *roll) add(from, to int) error {
	return r.do("Append", func(ctx context.Context) error { return r.Append(ctx, r.samples(from, to)) })
}

// read reads at most n entries, which is not to fail.
func (r *roll) read(after int64, n int) ([]spool.Entry, error) {
	results := make(chan []spool.Entry, 1)
	err := r.do("Read", func(ctx context.Context) error {
		entries, err := r.Read(ctx, after, n)
		results <- entries
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-results, nil
}

func (r *roll) remove(seqs ...int64) error {
	return r.do("Remove", func(ctx context.Context) error { return r.Remove(ctx, seqs) })
}

// holds looks whether the spool has exactly the samples of some numbers, in order, and
// returns the places they have.
func (r *roll) holds(numbers ...int) (seqs []int64, err error) {
	entries, err := r.read(0, len(numbers)+10)
	if err != nil {
		return nil, err
	}
	return r.same(entries, numbers)
}

// same looks whether entries are the samples of some numbers.
func (r *roll) same(entries []spool.Entry, numbers []int) (seqs []int64, err error) {
	var got, want []record.Record
	for i, e := range entries {
		switch {
		case e.Err != nil:
			return nil, fmt.Errorf("Read() returned an entry that cannot be read: %w", e.Err)
		case e.Seq <= 0, i > 0 && e.Seq <= entries[i-1].Seq:
			return nil, fmt.Errorf("entry %d has the Seq %d, want one greater than 0 and than the one before", i, e.Seq)
		}
		got, seqs = append(got, e.Record), append(seqs, e.Seq)
	}
	for _, n := range numbers {
		want = append(want, r.samples(n, n+1)...)
	}
	if err := firstDifference(got, want); err != nil {
		return nil, err
	}
	if len(got) != len(want) {
		return nil, fmt.Errorf("Read() returned %d records, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		number, _ := g.Metadata.Get("testkit.number")
		if g.ID() != w.ID() || g.Inlet() != w.Inlet() || number != numbers[i] || g.Metadata.Len() != w.Metadata.Len() {
			return nil, fmt.Errorf("record %d has the ID %q, the inlet %q and the metadata %v, want %q, %q and %v",
				i, g.ID(), g.Inlet(), g.Metadata, w.ID(), w.Inlet(), w.Metadata)
		}
	}
	return seqs, nil
}

// counts looks whether Stats says that there are so many records.
func (r *roll) counts(n int) error {
	s := r.Stats()
	if s.Records != n || (s.Bytes > 0) != (n > 0) || s.Limit < 0 || s.Limit > 0 && s.Bytes > s.Limit {
		return fmt.Errorf("with %d records Stats said %+v", n, s)
	}
	return nil
}

// unknown is a payload that no codec knows.
type unknown struct{ c chan int }

func (r *roll) partial(records []record.Record) (*record.Partial, error) {
	err := r.try(r.context(), limit, "Append", func(ctx context.Context) error { return r.Append(ctx, records) })
	p := record.AsPartial(err)
	switch {
	case isMishap(err):
		return nil, err
	case p == nil:
		return nil, fmt.Errorf("Append() of a payload that no codec knows answered with %v, want a record.Partial", err)
	}
	return p, errors.Join(p.Check(len(records)))
}
