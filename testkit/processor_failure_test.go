package testkit_test

import (
	"context"
	"maps"

	"github.com/databay-go/databay/record"
)

// answering makes processors that accept payloads of the samples' type, and answer
// by fail when there are others.
func answering(fail func(records []record.Record, bad map[int]error) ([]record.Record, error)) func() record.Processor {
	return processing(func(_ context.Context, records []record.Record, _ int) ([]record.Record, error) {
		bad := make(map[int]error)
		for i, r := range records {
			if _, err := record.As[map[string]any](r); err != nil {
				bad[i] = err
			}
		}
		if len(bad) > 0 {
			return fail(records, bad)
		}
		return records, nil
	})
}

func failureDoubles() []processorDouble {
	var all []processorDouble
	add := func(rule, name string, fail func(records []record.Record, bad map[int]error) ([]record.Record, error)) {
		all = append(all, processorDouble{rule: rule, name: name, fresh: answering(fail)})
	}
	naming := func(causes map[int]error) func(records []record.Record, bad map[int]error) ([]record.Record, error) {
		return func(records []record.Record, bad map[int]error) ([]record.Record, error) {
			maps.Copy(bad, causes)
			return []record.Record{records[2]}, &record.Partial{Failed: bad}
		}
	}
	add("foreign payload", "panics", func([]record.Record, map[int]error) ([]record.Record, error) { panic("unknown type") })
	add("foreign payload", "another fails too", naming(map[int]error{0: errBroken}))
	add("indices of a partial failure", "out of range", naming(map[int]error{-1: errBroken}))
	add("indices of a partial failure", "no cause", naming(map[int]error{1: nil}))
	add("results of a partial failure", "comes out too", func(records []record.Record, bad map[int]error) ([]record.Record, error) {
		return records, &record.Partial{Failed: bad}
	})
	all = append(all, processorDouble{
		rule: "failed call", name: "keeps what came before",
		fresh: holding(hold{until: 5, take: func(h *hold, records []record.Record) error {
			for _, r := range records {
				if _, err := record.As[map[string]any](r); err != nil {
					return err
				}
				h.held = append(h.held, r)
			}
			return nil
		}}),
	})
	return all
}
