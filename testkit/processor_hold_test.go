package testkit_test

import (
	"context"
	"slices"
	"time"

	"github.com/databay-go/databay/record"
)

// hold is a holder that releases everything when it has so many records, or when
// the oldest has such an age. Some of what it does may be done otherwise.
type hold struct {
	until   int
	age     time.Duration
	take    func(h *hold, records []record.Record) error
	release func(h *hold, flush bool) []record.Record
	says    func(h *hold, holding *record.Holding)
	onFlush func(h *hold)

	held  []record.Record
	since time.Time
	flush bool
	given int
}

// holding makes holders like h.
func holding(h hold) func() record.Processor {
	return func() record.Processor { return new(h) }
}

func (h *hold) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	if len(h.held) == 0 {
		h.since = time.Now()
	}
	if h.take != nil {
		if err := h.take(h, records); err != nil {
			return nil, err
		}
	} else {
		h.held = append(h.held, records...)
	}
	h.given += len(records)
	flush := h.flush
	h.flush = false
	switch {
	case h.release != nil:
		return h.release(h, flush), nil
	case flush, len(h.held) >= h.until, h.age > 0 && time.Since(h.since) >= h.age:
		return h.all(), nil
	}
	return nil, nil
}

func (h *hold) all() []record.Record {
	out := h.held
	h.held = nil
	return out
}

func (h *hold) Flush() {
	h.flush = true
	if h.onFlush != nil {
		h.onFlush(h)
	}
}

func (h *hold) Holding() record.Holding {
	holding := record.Holding{Records: len(h.held), Span: len(h.held)}
	if h.age > 0 && len(h.held) > 0 {
		holding.Wake = h.since.Add(h.age)
	}
	if h.says != nil {
		h.says(h, &holding)
	}
	return holding
}

func holderDoubles() []processorDouble {
	var all []processorDouble
	add := func(rule, name string, h hold) {
		all = append(all, processorDouble{rule: rule, name: name, fresh: holding(h)})
	}
	says := func(f func(h *hold, holding *record.Holding)) hold { return hold{until: 6, says: f} }

	add("payloads read-only", "when it releases", hold{release: func(h *hold, flush bool) []record.Record {
		if !flush && len(h.held) < 6 {
			return nil
		}
		for _, r := range h.held {
			if m, ok := r.Payload.(map[string]any); ok {
				m["released"] = true
			}
		}
		return h.all()
	}})
	add("slice given", "kept", hold{
		take: func(h *hold, records []record.Record) error {
			if len(h.held) == 0 {
				h.held = records
			} else {
				h.held = append(h.held, records...)
			}
			return nil
		},
		until: 6,
	})
	add("slice returned", "capacity kept", hold{release: func(h *hold, flush bool) []record.Record {
		if flush {
			return h.all()
		}
		n := len(h.held) / 2
		out := h.held[:n]
		h.held = h.held[n:]
		return out
	}})
	add("holding at first", "span", says(func(h *hold, holding *record.Holding) {
		if h.given == 0 {
			holding.Span = 1
		}
	}))
	add("holding counts records", "one too few", says(func(_ *hold, holding *record.Holding) {
		if holding.Records > 1 {
			holding.Records--
		}
	}))
	add("span", "none", says(func(_ *hold, holding *record.Holding) { holding.Span = 0 }))
	add("span", "more than there were", says(func(h *hold, holding *record.Holding) {
		if holding.Span > 0 {
			holding.Span = h.given + 1
		}
	}))
	add("span", "counts as if in order", hold{release: func(h *hold, flush bool) []record.Record {
		if flush || len(h.held) == 0 {
			return h.all()
		}
		out := slices.Clone(h.held[1:]) // the first one stays
		h.held = h.held[:1:1]
		return out
	}})
	add("flush", "a half", hold{release: func(h *hold, flush bool) []record.Record {
		if !flush && len(h.held) < 100 {
			return nil
		}
		n := (len(h.held) + 1) / 2
		out := slices.Clone(h.held[:n])
		h.held = slices.Clone(h.held[n:])
		return out
	}})
	add("flush", "not what is new", hold{
		take: func(h *hold, records []record.Record) error {
			h.held = append(h.held, records...)
			if h.flush { // release keeps what is new
				h.until = len(records)
			}
			return nil
		},
		release: func(h *hold, flush bool) []record.Record {
			if !flush && len(h.held) < 100 {
				return nil
			}
			n := len(h.held) - h.until
			out := slices.Clone(h.held[:n])
			h.held = slices.Clone(h.held[n:])
			return out
		},
	})
	add("flush only asks", "drops", hold{until: 6, onFlush: func(h *hold) { h.held = nil }})
	add("flush only asks", "nothing comes out", hold{release: func(h *hold, flush bool) []record.Record {
		if flush || len(h.held) >= 6 {
			h.held = nil
		}
		return nil
	}})
	add("flush of nothing", "stays armed", hold{
		onFlush: func(h *hold) { h.until = 1 },
		take: func(h *hold, records []record.Record) error {
			if h.until == 0 {
				h.until = 6
			}
			h.held = append(h.held, records...)
			return nil
		},
		release: func(h *hold, _ bool) []record.Record {
			if len(h.held) < h.until {
				return nil
			}
			h.until = 6
			return h.all()
		},
	})
	add("wake", "passed", hold{
		age: time.Minute,
		release: func(h *hold, flush bool) []record.Record {
			if flush || len(h.held) >= 6 {
				return h.all()
			}
			return nil
		},
	})
	add("wake", "for nothing", says(func(h *hold, holding *record.Holding) { holding.Wake = time.Now().Add(time.Hour) }))
	return all
}
