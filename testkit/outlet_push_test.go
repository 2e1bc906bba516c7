package testkit_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func pushDoubles() []outletDouble {
	var all []outletDouble
	add := func(rule, name string, fresh func() (outlet.Outlet, func() []record.Record)) {
		all = append(all, outletDouble{rule: rule, name: name, fresh: fresh})
	}
	add("no records", "fails", sinking(&testkit.FaultyOutlet{OnPush: func(_ context.Context, n int) error {
		if n == 0 {
			return errBroken
		}
		return nil
	}}))
	add("no records", "panics", pushing(func(s *testkit.Sink, records []record.Record) error {
		_ = records[0]
		write(s, records...)
		return nil
	}))
	add("writes", "loses one of many", pushing(func(s *testkit.Sink, records []record.Record) error {
		write(s, records[:min(len(records), 99)]...)
		return nil
	}))
	add("writes", "one of many twice", pushing(func(s *testkit.Sink, records []record.Record) error {
		write(s, records...)
		if len(records) > 50 {
			write(s, records[50])
		}
		return nil
	}))
	add("order", "backwards", pushing(func(s *testkit.Sink, records []record.Record) error {
		for _, r := range slices.Backward(records) {
			write(s, r)
		}
		return nil
	}))
	readBack := func(name string, change func(r record.Record) record.Record) {
		add("metadata", name, func() (outlet.Outlet, func() []record.Record) {
			s := new(testkit.Sink)
			return s, func() []record.Record {
				records := s.Records()
				for i, r := range records {
					records[i] = change(r)
				}
				return records
			}
		})
	}
	readBack("attribute lost", func(r record.Record) record.Record {
		return record.New(r.Payload, record.Attr{Key: "testkit.other", Value: 1})
	})
	readBack("other ID", func(r record.Record) record.Record { return r.WithID("id") })

	reader := func(rule, name string, push func(s *testkit.Sink, records []record.Record) error) {
		fresh := pushing(push)
		add(rule, name, func() (outlet.Outlet, func() []record.Record) {
			out, written := fresh()
			return reading{out}, written
		})
	}
	reader("slice of a reader", "changes the order", func(s *testkit.Sink, records []record.Record) error {
		write(s, records...)
		slices.Reverse(records)
		return nil
	})
	// copies are what is written, so that only the caller's payloads are changed.
	copies := func(s *testkit.Sink, records []record.Record) {
		c, _ := new(record.Copier).Records(nil, records)
		write(s, c...)
	}
	reader("payloads of a reader", "at once", func(s *testkit.Sink, records []record.Record) error {
		copies(s, records)
		for _, r := range records {
			if m, ok := r.Payload.(map[string]any); ok {
				m["written"] = true
			}
		}
		return nil
	})
	add("payloads of a reader", "at shutdown", func() (outlet.Outlet, func() []record.Record) {
		s, kept := new(testkit.Sink), new(testkit.Sink)
		return &testkit.FaultyOutlet{
			Outlet: reading{outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
				copies(s, records)
				write(kept, records...)
				return nil
			})},
			OnShutdown: func(context.Context, int) error {
				for _, r := range kept.Records() {
					if m, ok := r.Payload.(map[string]any); ok {
						clear(m)
					}
				}
				return nil
			},
		}, s.Records
	})
	add("slice given", "kept", func() (outlet.Outlet, func() []record.Record) {
		var mu sync.Mutex
		var batches [][]record.Record
		return outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
				mu.Lock()
				defer mu.Unlock()
				batches = append(batches, records)
				return nil
			}), func() []record.Record {
				mu.Lock()
				defer mu.Unlock()
				return slices.Concat(batches...)
			}
	})
	for name, answer := range map[string]error{"fails": errBroken, "loses": nil} {
		add("concurrent pushes", name, func() (outlet.Outlet, func() []record.Record) {
			var running atomic.Int64
			return pushing(func(s *testkit.Sink, records []record.Record) error {
				defer running.Add(-1)
				if running.Add(1) > 1 {
					return answer
				}
				time.Sleep(time.Millisecond)
				write(s, records...)
				return nil
			})()
		})
	}
	return all
}
