package link_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

// crashOrder is what a stage leaves of the order in which records come.
type crashOrder int

const (
	inletOrder crashOrder = iota // that of each inlet
	keyOrder                     // that of the rows with one key of each inlet
	noOrder
)

// crashStage is a processor of the pipeline.
type crashStage struct {
	name  string
	order crashOrder
	model func(crashItem) []crashItem // what becomes of a record; nil: itself
	build func(p *crashProcess) record.Processor
	spool *crashSpool // nil: there is none
}

func (s crashStage) expected(items []crashItem) (out []crashItem) {
	if s.model == nil {
		return items
	}
	for _, item := range items {
		out = append(out, s.model(item)...)
	}
	return out
}

// newCrashStage draws a stage, perhaps only of those that hold records.
func newCrashStage(r *rand.Rand, name string, holder bool) crashStage {
	n := 1 + r.IntN(4)
	pure := func(kind string, p record.Processor, model func(crashItem) []crashItem) crashStage {
		return crashStage{
			name: fmt.Sprintf("%s %s(%d)", name, kind, n), model: model,
			build: func(*crashProcess) record.Processor { return p },
		}
	}
	kind := r.IntN(10)
	if holder {
		kind = 6 + r.IntN(4)
	}
	switch kind {
	case 0:
		keep := func(i crashItem) bool { return (i.Seq+i.Path)%(n+2) != 0 }
		return pure("filter", record.Filter(keep), func(i crashItem) []crashItem {
			if keep(i) {
				return []crashItem{i}
			}
			return nil
		})
	case 1:
		apply := func(i crashItem) crashItem { i.Trail = i.Trail*7 + uint64(n); return i }
		return pure("map", record.Map(func(i crashItem) (crashItem, error) { return apply(i), nil }),
			func(i crashItem) []crashItem { return []crashItem{apply(i)} })
	case 2:
		children := func(i crashItem) (all []crashItem) {
			for k := range (i.Seq + n) % 4 {
				child := i
				child.Path = i.Path*8 + k + 1
				all = append(all, child)
			}
			return all
		}
		return pure("flatmap", record.FlatMap(func(i crashItem) ([]crashItem, error) { return children(i), nil }), children)
	case 3, 4:
		return newCrashFlaky(r, name, uint64(n))
	case 5, 6:
		return newCrashBuffer(r, name)
	case 7:
		return crashStage{
			name: fmt.Sprintf("%s tail(%d)", name, n),
			build: func(p *crashProcess) record.Processor {
				return &crashHolder{p: p, name: name + " tail", keep: func(held []crashHeld) int { return max(0, len(held)-n) }}
			},
		}
	default:
		partial := chance(r, 60)
		s := crashStage{
			name: fmt.Sprintf("%s keys(%d, partial %v)", name, n, partial), order: keyOrder,
			build: func(p *crashProcess) record.Processor {
				return &crashHolder{p: p, name: name + " keys", size: n + 1, partial: partial}
			},
		}
		if partial {
			s.order = noOrder
		}
		return s
	}
}

// newCrashFlaky draws a map that fails at times, as a whole or for some records.
func newCrashFlaky(r *rand.Rand, name string, n uint64) crashStage {
	partial := chance(r, 60)
	s := crashStage{name: fmt.Sprintf("%s flaky(partial %v)", name, partial)}
	if partial {
		s.order = noOrder
	}
	apply := func(i crashItem) crashItem { i.Trail = i.Trail*11 + n; return i }
	s.model = func(i crashItem) []crashItem { return []crashItem{apply(i)} }
	s.build = func(p *crashProcess) record.Processor {
		return record.ProcessorFunc(func(ctx context.Context, records []record.Record) ([]record.Record, error) {
			r, last, err := p.step(ctx, name+" flaky")
			if err != nil {
				return nil, err
			}
			w := p.w
			defer w.mu.Unlock()
			if last {
				return nil, errCrashed
			}
			if h := w.outcome(r, 18); h != succeeds {
				return nil, h.end()
			}
			some := partial && !w.calm && chance(r, 30)
			return record.Each(func(_ context.Context, rec record.Record) (record.Record, error) {
				item, err := record.As[crashItem](rec)
				if err != nil || some && chance(r, 40) {
					return rec, errPlanned
				}
				return rec.With(apply(item)), nil
			}).Process(ctx, records)
		})
	}
	return s
}

// newCrashBuffer draws a buffer.
func newCrashBuffer(r *rand.Rand, name string) crashStage {
	count, age := 2+r.IntN(6), time.Duration(r.IntN(3))*time.Second
	if chance(r, 40) {
		s := &crashSpool{name: name + " spool"}
		pending := 1 + r.IntN(count)
		return crashStage{
			name: fmt.Sprintf("%s buffer(%d, %v, pending %d)", name, count, age, pending), spool: s,
			build: func(p *crashProcess) record.Processor {
				return buffer.New(&buffer.Options{Count: count, MaxAge: age, Pending: pending, Spool: &crashSpooler{s, p}})
			},
		}
	}
	return crashStage{
		name: fmt.Sprintf("%s buffer(%d, %v)", name, count, age),
		build: func(p *crashProcess) record.Processor {
			w := p.w
			r := rand.New(rand.NewPCG(w.seed, uint64(w.term)))
			return buffer.New(&buffer.Options{Count: count, MaxAge: age, Controllers: []buffer.Controller{
				func([]record.Record) (bool, error) {
					w.mu.Lock()
					defer w.mu.Unlock()
					if h := w.outcome(r, 10); h != succeeds {
						return false, h.end()
					}
					return false, nil
				},
			}})
		},
	}
}

// crashHolder is a processor that holds records: all but a tail, or those of a key
// until there are enough of them.
type crashHolder struct {
	p       *crashProcess
	name    string
	keep    func(held []crashHeld) int // how many of the oldest to release
	size    int                        // of a key, if keep is nil
	partial bool                       // it refuses some records at times

	held  []crashHeld
	given int
	flush bool
}

type crashHeld struct {
	rec record.Record
	at  int // how many were given to it before
}

func (h *crashHolder) String() string { return h.name }

func (h *crashHolder) Start(context.Context) error {
	h.held, h.given, h.flush = nil, 0, false
	return nil
}

func (h *crashHolder) Flush() { h.flush = true }

func (h *crashHolder) Holding() record.Holding {
	if len(h.held) == 0 {
		return record.Holding{}
	}
	return record.Holding{Records: len(h.held), Span: h.given - h.held[0].at}
}

func (h *crashHolder) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	r, last, err := h.p.step(ctx, h.name)
	if err != nil {
		return nil, err
	}
	w := h.p.w
	defer w.mu.Unlock()
	if last {
		return nil, errCrashed
	}
	if o := w.outcome(r, 12); o != succeeds {
		return nil, o.end()
	}
	var failures record.Failures
	some := h.partial && !w.calm && chance(r, 35)
	for i, rec := range records {
		if some && chance(r, 40) {
			failures.Add(i, errPlanned)
			continue
		}
		h.held = append(h.held, crashHeld{rec, h.given})
		h.given++
	}
	out := h.release(len(records) == 0 && chance(r, 50))
	h.flush = false
	w.trace("%s is given %d and releases %d, holds %d", h.name, len(records), len(out), len(h.held))
	return out, failures.Err()
}

// release returns what is to leave: everything when timed, as if it were old enough.
func (h *crashHolder) release(timed bool) (out []record.Record) {
	var due func(i int, held crashHeld) bool
	switch {
	case h.flush || timed:
		due = func(int, crashHeld) bool { return true }
	case h.keep != nil:
		n := h.keep(h.held)
		due = func(i int, _ crashHeld) bool { return i < n }
	default:
		count := make(map[int]int)
		for _, held := range h.held {
			count[held.key()]++
		}
		due = func(_ int, held crashHeld) bool { return count[held.key()] >= h.size }
	}
	rest := slices.Clone(h.held[:0:0])
	for i, held := range h.held {
		if due(i, held) {
			out = append(out, held.rec)
		} else {
			rest = append(rest, held)
		}
	}
	h.held = rest
	return out
}

func (h crashHeld) key() int { return h.rec.Payload.(crashItem).Key }
