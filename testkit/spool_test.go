package testkit_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/testkit"
)

func TestSpools(t *testing.T) {
	t.Parallel()
	testkit.TestSpool(t, rolled(roll{}), sample, new(rollOptions(roll{}, "")))
}

// TestSpoolDoubles has, for every rule, spools that exactly this rule catches.
func TestSpoolDoubles(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, d := range spoolDoubles() {
		rules[d.rule] = true
		t.Run(d.rule+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			exactly(t, d.rule, testkit.JudgeSpool(t, rolled(d.roll), sample, rollOptions(d.roll, d.fault)))
		})
	}
	complete(t, testkit.SpoolRules(), rules)
}

func TestSpoolGoodDouble(t *testing.T) {
	t.Parallel()
	v := testkit.JudgeSpool(t, rolled(roll{}), sample, rollOptions(roll{}, ""))
	assert.Empty(t, v.Broken)
	assert.Empty(t, v.Skipped)
}

// roll is a spool in memory. Some of what it does may be done otherwise.
type roll struct {
	ended  func(ctx context.Context) error
	add    func(r *roll, records []record.Record) error // with the lock held
	read   func(r *roll, entries []spool.Entry) []spool.Entry
	remove func(r *roll, seqs []int64) error // with the lock held
	stats  func(r *roll, s *spool.Stats)
	fault  string

	mu      *sync.Mutex
	entries []spool.Entry
	last    int64
	limit   int64
}

func rolled(r roll) func(*testing.T) spool.Spool {
	return func(*testing.T) spool.Spool {
		own := r
		own.mu = new(sync.Mutex)
		return &own
	}
}

func rollOptions(r roll, fault string) testkit.SpoolOptions {
	return testkit.SpoolOptions{
		Reopen: func(_ *testing.T, s spool.Spool) spool.Spool {
			again := *s.(*roll)
			again.mu = new(sync.Mutex)
			switch fault {
			case "removed ones are there again":
				again.entries = slices.Insert(slices.Clone(again.entries), 0, spool.Entry{Seq: 1, Record: sample(0)})
			case "places anew":
				again.last = 3
			}
			return &again
		},
		Small: func(t *testing.T) spool.Spool {
			small := rolled(r)(t).(*roll)
			small.limit, small.fault = 50, fault
			return small
		},
	}
}

func (r *roll) may(ctx context.Context) error {
	if r.ended != nil {
		return r.ended(ctx)
	}
	return context.Cause(ctx)
}

func (r *roll) Append(ctx context.Context, records []record.Record) error {
	if err := r.may(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.add != nil {
		return r.add(r, records)
	}
	return r.append(records)
}

// append is an Append as it should be, but for one fault.
func (r *roll) append(records []record.Record) error {
	var failures record.Failures
	var good []record.Record
	for i, one := range records {
		if _, err := record.As[map[string]any](one); err != nil {
			failures.Add(i, err)
		} else {
			good = append(good, one)
		}
	}
	if r.limit > 0 && int64(len(r.entries)+len(good)) > r.limit {
		switch r.fault {
		case "an error of its own":
			return errBroken
		case "what fits is kept":
			good = good[:r.limit-int64(len(r.entries))]
			_ = r.keep(good)
		}
		return fmt.Errorf("no room: %w", spool.ErrFull)
	}
	_ = r.keep(good)
	return failures.Err()
}

func (r *roll) keep(records []record.Record) error {
	for _, one := range records {
		r.last++
		r.entries = append(r.entries, spool.Entry{Seq: r.last, At: time.Now(), Record: one})
	}
	return nil
}

func (r *roll) Read(ctx context.Context, after int64, n int) ([]spool.Entry, error) {
	if err := r.may(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []spool.Entry
	for _, e := range r.entries {
		if e.Seq > after && len(found) < n {
			found = append(found, e)
		}
	}
	if r.read != nil {
		found = r.read(r, found)
	}
	return found, nil
}

func (r *roll) Remove(ctx context.Context, seqs []int64) error {
	if err := r.may(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.remove != nil {
		return r.remove(r, seqs)
	}
	return r.take(seqs)
}

func (r *roll) take(seqs []int64) error {
	r.entries = slices.DeleteFunc(slices.Clone(r.entries), func(e spool.Entry) bool { return slices.Contains(seqs, e.Seq) })
	return nil
}

func (r *roll) Stats() spool.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := spool.Stats{Records: len(r.entries), Bytes: int64(len(r.entries)), Limit: r.limit}
	if r.stats != nil {
		r.stats(r, &s)
	}
	return s
}

type spoolDouble struct {
	rule, name string
	roll       roll
	fault      string // of what the options make
}

func spoolDoubles() []spoolDouble {
	var all []spoolDouble
	add := func(rule, name string, r roll) { all = append(all, spoolDouble{rule: rule, name: name, roll: r}) }
	faulty := func(rule, fault string) { all = append(all, spoolDouble{rule: rule, name: fault, fault: fault}) }
	reading := func(f func(r *roll, found []spool.Entry) []spool.Entry) roll { return roll{read: f} }

	add("empty", "has a size at first", roll{stats: func(r *roll, s *spool.Stats) {
		if r.last == 0 {
			s.Bytes = 100
		}
	}})
	add("order", "the youngest of many first", reading(func(_ *roll, found []spool.Entry) []spool.Entry {
		if len(found) > 200 {
			found[0].Record, found[1].Record = found[1].Record, found[0].Record
		}
		return found
	}))
	add("order", "no metadata in the long run", reading(func(_ *roll, found []spool.Entry) []spool.Entry {
		if len(found) > 200 {
			found[9].Record.Metadata = record.Metadata{}
		}
		return found
	}))
	add("read a part", "one too many", roll{read: func(r *roll, found []spool.Entry) []spool.Entry {
		if len(found) == 2 && len(r.entries) == 6 && found[0].Seq == 1 {
			return r.entries[:3]
		}
		return found
	}})
	add("read a part", "the one at the place, too", roll{read: func(r *roll, found []spool.Entry) []spool.Entry {
		if len(found) == 1 && len(r.entries) == 6 && found[0].Seq == 6 {
			return r.entries[4:]
		}
		return found
	}})
	add("remove", "all before, too", roll{remove: func(r *roll, seqs []int64) error {
		if len(seqs) == 3 && seqs[1] == 3 {
			seqs = []int64{1, 2, 3, 4, 5}
		}
		return r.take(seqs)
	}})
	add("remove", "again is an error", roll{remove: func(r *roll, seqs []int64) error {
		for _, seq := range seqs {
			if seq > r.last {
				return errBroken
			}
		}
		return r.take(seqs)
	}})
	add("remove", "places are given again", roll{add: func(r *roll, records []record.Record) error {
		if len(r.entries) == 0 && len(records) == 2 {
			r.last = 0
		}
		return r.append(records)
	}})
	add("stats", "removed ones count", roll{stats: func(r *roll, s *spool.Stats) {
		if s.Records == 3 && r.last == 5 {
			s.Records = 5
		}
	}})
	add("stats", "bytes do not change", roll{stats: func(r *roll, s *spool.Stats) {
		if s.Records == 3 {
			s.Bytes = 5
		}
	}})
	add("refused record", "all fail", roll{add: func(r *roll, records []record.Record) error {
		for _, one := range records {
			if _, err := record.As[map[string]any](one); err != nil {
				return err
			}
		}
		return r.append(records)
	}})
	add("refused record", "not for good", roll{add: func(r *roll, records []record.Record) error {
		err := r.append(records)
		if err != nil && record.AsPartial(err) != nil {
			return &record.Partial{Failed: map[int]error{1: errBroken}}
		}
		return err
	}})
	add("refused record", "left out", roll{add: func(r *roll, records []record.Record) error {
		if err := r.append(records); record.AsPartial(err) == nil {
			return err
		}
		return nil
	}})
	add("ended context", "not looked at", roll{ended: func(context.Context) error { return nil }})
	add("ended context", "an error of its own", roll{ended: func(ctx context.Context) error {
		if ctx.Err() != nil {
			return errBroken
		}
		return nil
	}})
	faulty("full", "an error of its own")
	faulty("full", "what fits is kept")
	add("concurrent calls", "one is lost", roll{add: func(r *roll, records []record.Record) error {
		if len(records) == 1 && r.last == 100 && r.limit == 0 {
			r.last++
			return nil
		}
		return r.append(records)
	}})
	faulty("reopen", "removed ones are there again")
	faulty("reopen", "places anew")
	return all
}
