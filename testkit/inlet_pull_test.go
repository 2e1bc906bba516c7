package testkit_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func pullDoubles() []inletDouble {
	var all []inletDouble
	add := func(rule, name string, prepare func() func() inlet.Inlet) {
		all = append(all, inletDouble{rule: rule, name: name, prepare: prepare})
	}
	add("yields records", "nothing", each(inlet.Null))
	all = append(all, inletDouble{"yields records", "not empty", each(plain), testkit.InletOptions{Empty: true}})
	add("payloads", "nil", each(func() inlet.Inlet { return testkit.Values([]any{1, nil}) }))
	add("metadata keys", "no package", each(func() inlet.Inlet {
		return inlet.WithMetadata(plain(), record.Attr{Key: "file", Value: "rows.csv"})
	}))
	add("global metadata", "shared cache", func() func() inlet.Inlet {
		cache := []record.Record{record.New(1), record.New(2)}
		return func() inlet.Inlet {
			var done atomic.Bool
			return inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
				if done.Swap(true) {
					return nil, nil
				}
				return cache, nil
			})
		}
	})
	add("earlier records stay", "slice used again", each(func() inlet.Inlet {
		var buf []record.Record
		return pullFunc(func(n int) []record.Record {
			buf = append(buf[:0], record.New(n))
			return buf
		})
	}))
	add("earlier records stay", "payload used again", each(func() inlet.Inlet {
		inner := make(map[string]any)
		return pullFunc(func(n int) []record.Record {
			inner["n"] = n
			return []record.Record{record.New(map[string]any{"row": inner})}
		})
	}))
	add("gives records away", "cached slice", each(func() inlet.Inlet {
		cache := []record.Record{record.New(1), record.New(2)}
		return pullFunc(func(int) []record.Record { return cache })
	}))
	add("gives records away", "cached payload", each(func() inlet.Inlet {
		payload := map[string]any{"n": 1}
		return pullFunc(func(int) []record.Record { return []record.Record{record.New(payload)} })
	}))
	add("concurrent pulls", "not safe", each(func() inlet.Inlet {
		var running atomic.Int64
		return &testkit.FaultyInlet{Inlet: plain(), OnPull: func(context.Context, int) error {
			defer running.Add(-1)
			if running.Add(1) > 1 {
				return errBroken
			}
			time.Sleep(time.Millisecond)
			return nil
		}}
	}))
	return all
}
