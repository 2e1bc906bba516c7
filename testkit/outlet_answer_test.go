package testkit_test

import (
	"context"
	"maps"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// strict makes outlets that accept payloads of the samples' type, and answer as
// they should or else by fail.
func strict(fail func(s *testkit.Sink, good []record.Record, bad map[int]error) error) func() (outlet.Outlet, func() []record.Record) {
	return pushing(func(s *testkit.Sink, records []record.Record) error {
		var good []record.Record
		bad := make(map[int]error)
		for i, r := range records {
			if _, err := record.As[map[string]any](r); err != nil {
				bad[i] = err
			} else {
				good = append(good, r)
			}
		}
		switch {
		case len(bad) > 0 && fail != nil:
			return fail(s, good, bad)
		case len(bad) > 0:
			write(s, good...)
			return &record.Partial{Failed: bad}
		}
		write(s, good...)
		return nil
	})
}

func answerDoubles() []outletDouble {
	type answer = func(s *testkit.Sink, good []record.Record, bad map[int]error) error
	var all []outletDouble
	add := func(rule, name string, fail answer) {
		all = append(all, outletDouble{rule: rule, name: name, fresh: strict(fail)})
	}
	// naming writes what it should, but names others.
	naming := func(causes map[int]error) answer {
		return func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
			write(s, good...)
			maps.Copy(bad, causes)
			return &record.Partial{Failed: bad}
		}
	}
	for name, written := range map[string]int{"one was written": 1, "nothing was written": 0} {
		answer := error(nil)
		if written > 0 {
			answer = context.Canceled
		}
		all = append(all, outletDouble{rule: "answer when the context has ended", name: name, fresh: func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return outlet.Func(func(ctx context.Context, records []record.Record, _ record.Update) error {
				if ctx.Err() != nil {
					write(s, records[:written]...)
					return answer
				}
				write(s, records...)
				return nil
			}), s.Records
		}})
	}
	add("foreign payload", "fails all", func(*testkit.Sink, []record.Record, map[int]error) error { return errBroken })
	add("foreign payload", "panics", func(*testkit.Sink, []record.Record, map[int]error) error { panic("unknown type") })
	add("foreign payload", "fails what comes before", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, good[1:]...)
		bad[0] = record.Permanent(errBroken)
		return &record.Partial{Failed: bad}
	})
	add("permanent failure", "not marked", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, good...)
		return &record.Partial{Failed: map[int]error{1: errBroken}}
	})
	add("indices of a partial answer", "out of range", naming(map[int]error{99: record.Permanent(errBroken)}))
	add("indices of a partial answer", "no cause", naming(map[int]error{1: nil}))
	add("indices of a partial answer", "none", func(s *testkit.Sink, good []record.Record, _ map[int]error) error {
		write(s, good...)
		return new(record.Partial)
	})
	add("partial answer", "the rest was not written", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, good[0])
		return &record.Partial{Failed: bad}
	})
	add("partial answer", "what failed was written", func(s *testkit.Sink, good []record.Record, bad map[int]error) error {
		write(s, append(good, record.New(nil))...)
		return &record.Partial{Failed: bad}
	})
	return all
}
