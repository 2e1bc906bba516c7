package link_test

import (
	"context"
	"sync"
	"time"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// keeper is a processor that holds records until there are size with the same key.
type keeper struct {
	name string
	size int
	key  func(any) any // nil: all have the same
	wake time.Duration // after the oldest came; zero: never

	given   int
	held    []kept
	flush   bool
	failing error // of the next call
	calls   int
}

type kept struct {
	record record.Record
	at     int
	since  time.Time
}

func (k *keeper) String() string { return k.name }

func (k *keeper) Flush() { k.flush = true }

func (k *keeper) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	k.calls++
	if err := k.failing; err != nil {
		k.failing = nil
		return nil, err
	}
	for _, r := range records {
		k.held = append(k.held, kept{r, k.given, time.Now()})
		k.given++
	}
	keyOf := k.key
	if keyOf == nil {
		keyOf = func(any) any { return nil }
	}
	count := make(map[any]int)
	for _, h := range k.held {
		count[keyOf(h.record.Payload)]++
	}
	var out []record.Record
	var rest []kept
	for _, h := range k.held {
		due := k.wake > 0 && !h.since.Add(k.wake).After(time.Now())
		if k.flush || due || count[keyOf(h.record.Payload)] >= k.size {
			out = append(out, h.record)
		} else {
			rest = append(rest, h)
		}
	}
	k.held, k.flush = rest, false
	return out, nil
}

func (k *keeper) Holding() record.Holding {
	if len(k.held) == 0 {
		return record.Holding{}
	}
	h := record.Holding{Records: len(k.held), Span: k.given - k.held[0].at}
	if k.wake > 0 {
		h.Wake = k.held[0].since.Add(k.wake)
	}
	return h
}

// vault is a store that notes what is done. Hooks, if there are any, are called
// with the number of the call, from 1, and the call itself.
type vault struct {
	state.Memory
	put func(n int, do func() (int64, error)) (int64, error)
	get func(n int, do func() ([]byte, int64, error)) ([]byte, int64, error)

	mu     sync.Mutex
	puts   []string // the values, also of those that failed
	gets   int
	writes int // puts that wrote
}

func (v *vault) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	v.mu.Lock()
	v.puts = append(v.puts, string(value))
	n := len(v.puts)
	v.mu.Unlock()
	do := func() (int64, error) {
		rev, err := v.Memory.Put(ctx, key, value, rev)
		if err == nil {
			v.mu.Lock()
			v.writes++
			v.mu.Unlock()
		}
		return rev, err
	}
	if v.put != nil {
		return v.put(n, do)
	}
	return do()
}

func (v *vault) Get(ctx context.Context, key string) ([]byte, int64, error) {
	v.mu.Lock()
	v.gets++
	n := v.gets
	v.mu.Unlock()
	do := func() ([]byte, int64, error) { return v.Memory.Get(ctx, key) }
	if v.get != nil {
		return v.get(n, do)
	}
	return do()
}
