package link_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/databay-go/databay/state"
)

// crashStore keeps the value of the link. It survives.
type crashStore struct {
	w     *crashWorld
	value []byte
	rev   int64
}

// crashClient is a store in one process.
type crashClient struct {
	s *crashStore
	p *crashProcess
}

var _ state.Store = (*crashClient)(nil)

// crashValue is what a link keeps in its store.
type crashValue struct {
	Writer string
	Number int64
	Due    crashTime
	Inlets map[string]struct {
		Position []byte
		From     crashTime
	}
}

// crashTime is stored as Unix time in nanoseconds.
type crashTime struct{ time.Time }

func (t *crashTime) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	t.Time = time.Unix(0, n)
	return err
}

// parse returns what is stored. w.mu is held.
func (s *crashStore) parse() crashValue {
	v := crashValue{Number: -1}
	if s.rev == 0 {
		return v
	}
	if err := json.Unmarshal(s.value, &v); err != nil {
		s.w.fail("the store holds %q: %v", s.value, err)
	}
	return v
}

// position returns the position that is stored for an inlet.
func (v crashValue) position(inlet string) int {
	n, _ := strconv.Atoi(string(v.Inlets[inlet].Position))
	return n
}

func (c *crashClient) Get(ctx context.Context, _ string) ([]byte, int64, error) {
	r, last, err := c.p.step(ctx, "store")
	if err != nil {
		return nil, 0, err
	}
	w := c.s.w
	defer w.mu.Unlock()
	if last {
		return nil, 0, errCrashed
	}
	if h := w.outcome(r, 12); h != succeeds {
		w.doubt = true
		w.trace("the store cannot be read: %d", h)
		return nil, 0, h.end()
	}
	return slices.Clone(c.s.value), c.s.rev, nil
}

func (c *crashClient) Put(ctx context.Context, _ string, value []byte, rev int64) (int64, error) {
	r, last, err := c.p.step(ctx, "store")
	if err != nil {
		return 0, err
	}
	w := c.s.w
	defer w.mu.Unlock()
	if rev != c.s.rev {
		return 0, state.ErrConflict
	}
	h := w.outcome(r, 25)
	lost := last || h != succeeds && chance(r, 50)
	if h == succeeds || lost {
		c.s.write(value)
	}
	switch {
	case last:
		return 0, errCrashed
	case h != succeeds:
		w.doubt = true
		if lost {
			w.stats.lost++
		}
		w.trace("no answer of the store, written: %v", lost)
		return 0, h.end()
	}
	w.doubt = false
	return c.s.rev, nil
}

// write makes value the stored one. What it says must be true.
func (s *crashStore) write(value []byte) {
	w := s.w
	old := s.parse()
	s.value = slices.Clone(value)
	s.rev++
	w.stats.commits++
	w.trace("stored: %s", value)
	v := s.parse()
	if v.Number < old.Number || v.Due.Before(old.Due.Time) {
		w.fail("number %d and due %v are stored after %d and %v", v.Number, v.Due, old.Number, old.Due)
	}
	for _, in := range w.inlets {
		from, position := v.Inlets[in.name].From, v.position(in.name)
		if from.Before(old.Inlets[in.name].From.Time) || in.kind == cursorKind && position < old.position(in.name) {
			w.fail("%s goes back: %d and %v are stored after %d and %v", in.name, position, from, old.position(in.name), old.Inlets[in.name].From)
		}
		switch in.kind {
		case windowKind:
			for _, row := range in.rows {
				if row.at.Before(from.Time) && row.term == w.term {
					w.delivered(row, true, "%s is stored to have read up to %v", in.name, from)
				}
			}
		case cursorKind, brokerKind:
			was := min(old.position(in.name), position) // a broker may yield what is stored already
			for _, row := range in.rows[was:min(position, len(in.rows))] {
				if row.term == w.term {
					w.delivered(row, true, "%s is stored to be at %d", in.name, position)
				}
			}
		}
	}
}

// delivered checks that everything that has to arrive because of row has arrived,
// perhaps in this term. w.mu is held.
func (w *crashWorld) delivered(row *crashRow, inTerm bool, claim string, args ...any) {
	for i, results := range row.results {
		if w.lanes[i].optional { // no commit waits for it
			continue
		}
		for k, res := range results {
			held := func(s *crashSpool) bool { return s.holds(&results[k]) }
			if held(w.lanes[i].spool) || slices.ContainsFunc(w.lanes[i].spools(), held) {
				continue
			}
			if res.count == 0 || inTerm && res.term != w.term {
				w.fail("%s, but %s has not accepted %+v", fmt.Sprintf(claim, args...), w.lanes[i].name, res.item)
			}
		}
	}
}
