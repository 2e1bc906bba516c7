package link_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// crashLane is a lane of the pipeline and its sink, which survives.
type crashLane struct {
	w                 *crashWorld
	index             int
	name              string
	stages            []crashStage
	order             crashOrder // that is kept on the way here
	readOnly          bool
	pending           int // bound of the lane
	retry             link.Retry
	optional, relaxed bool
	onFull            link.OnFull
	giveUp            link.GiveUp
	spool             *crashSpool // nil: it does not spill

	accepted int64 // records, in the life of the link

	// Of a term.
	rest   []record.Record // what the last offer has left over
	update record.Update   // of the last offer
	newest map[crashPlace]crashItem
}

// crashPlace is where order is kept: in an inlet, or in the rows of one key of it.
type crashPlace struct{ inlet, key int }

// crashOutlet is the outlet of a lane in one process.
type crashOutlet struct {
	ln *crashLane
	p  *crashProcess
}

// crashAtomic is an outlet that writes the commit together with the records.
type crashAtomic struct {
	crashOutlet
	store any
}

func (o *crashAtomic) Store() any { return o.store }

func (o *crashOutlet) ReadOnly() bool { return o.ln.readOnly }
func (o *crashOutlet) String() string { return o.ln.name }

func (ln *crashLane) node(p *crashProcess, store any) outlet.Outlet {
	if ln.w.atomic {
		return &crashAtomic{crashOutlet{ln, p}, store}
	}
	return &crashOutlet{ln, p}
}

func (o *crashOutlet) Push(ctx context.Context, records []record.Record, u record.Update) error {
	r, last, err := o.p.step(ctx, o.ln.name)
	if err != nil {
		return err
	}
	w, ln := o.p.w, o.ln
	defer w.mu.Unlock()
	ln.check(records, u)
	var later []record.Record // of what was refused: it was spooled and is read in parts
	if ln.spool != nil && !ln.spool.doubled && len(ln.rest) > len(records) {
		later = slices.Clone(ln.rest[len(records):])
	}
	ln.rest, ln.update = slices.Clone(records), u
	defer func() { ln.rest = append(ln.rest, later...) }()
	if !ln.readOnly {
		defer clear(records) // they are its own
	}
	if err := ln.answer(r, last, u); err != nil {
		w.trace("%s takes all but %d of %d records of transfer %d: %v", ln.name, len(ln.rest), len(records), u.Number, err)
		return err
	}
	w.trace("%s takes %d records of transfer %d", ln.name, len(records), u.Number)
	return nil
}

// answer draws the answer to an offer of the rest. What is accepted is taken off
// it.
func (ln *crashLane) answer(r *rand.Rand, last bool, u record.Update) error {
	w := ln.w
	n := len(ln.rest)
	choice := r.IntN(100)
	switch {
	case last && w.atomic: // all or nothing
		if chance(r, 50) {
			ln.accept(nil, u.Commit)
		}
		return errCrashed
	case last: // half of it is done
		ln.accept(ln.some(r, choice < 50), nil)
		return errCrashed
	case w.calm || choice < 60:
		return ln.accept(nil, u.Commit)
	case choice < 68:
		return errPlanned
	case choice < 72:
		return record.Permanent(errPlanned)
	case choice < 75:
		return record.RetryAfter(time.Duration(r.IntN(2000))*time.Millisecond, errPlanned)
	case choice < 80: // what no Partial can say
		var failures record.Failures
		failures.Add(n, errPlanned)
		failures.Add(0, errPlanned)
		return failures.Err()
	case choice < 81:
		return new(record.Partial)
	case choice < 85:
		w.doubt = true
		return how(int(panics) + r.IntN(2)).end()
	}
	failed := ln.some(r, chance(r, 30))
	if n == 0 || len(failed) == 0 {
		return ln.accept(nil, u.Commit)
	}
	if err := ln.accept(failed, nil); err != nil {
		return err
	}
	var failures record.Failures
	forGood := chance(r, 50)
	for _, i := range slices.Sorted(maps.Keys(failed)) {
		if forGood && chance(r, 50) {
			failures.Add(i, record.Permanent(errPlanned))
		}
		failures.Add(i, errPlanned)
	}
	return failures.Err()
}

// some draws some indices of the rest: of the end of it, or any.
func (ln *crashLane) some(r *rand.Rand, end bool) map[int]bool {
	some := make(map[int]bool)
	n := len(ln.rest)
	from := r.IntN(n + 1)
	for i := range n {
		if end && i >= from || !end && chance(r, 50) {
			some[i] = true
		}
	}
	return some
}

// accept puts all of the rest but failed into the sink and, if it can, writes the
// commit with it.
func (ln *crashLane) accept(failed map[int]bool, commit *record.Commit) error {
	w := ln.w
	if commit != nil {
		if w.store.rev != commit.Revision {
			w.fail("%s gets a commit for revision %d of %d", ln.name, commit.Revision, w.store.rev)
			return errors.New("the revision is not the current one")
		}
	}
	var rest []record.Record
	for i, rec := range ln.rest {
		if failed[i] {
			rest = append(rest, rec)
			continue
		}
		ln.accepted++
		w.stats.deliveries++
		result := ln.result(rec)
		if result == nil {
			continue
		}
		w.arrive(ln, result, result.item)
	}
	ln.rest = rest
	if commit != nil {
		w.store.write(commit.Value)
	}
	return nil
}

// check looks at an offer.
func (ln *crashLane) check(records []record.Record, u record.Update) {
	w := ln.w
	if !u.From.IsZero() || u.Attempt < 1 || u.Link != w.name {
		w.fail("%s: wrong update %+v", ln.name, u)
	}
	if u.Commit != nil && !w.atomic {
		w.fail("%s gets a commit", ln.name)
	}
	doubled := slices.ContainsFunc(ln.spools(), func(s *crashSpool) bool { return s.doubled })
	if ln.relaxed || ln.spool != nil && ln.spool.doubled {
		return
	}
	if doubled && (ln.optional || ln.onFull != link.FullDefault) { // which of two has left cannot be known
		return
	}
	if ln.spool != nil && len(ln.rest) > 0 { // it may have been spooled, and is cut in another way
		n := min(len(ln.rest), len(records))
		same := slices.EqualFunc(records[:n], ln.rest[:n], func(a, b record.Record) bool { return a.ID() == b.ID() })
		if !same && !(w.pipeline.letters && w.twice(ln.rest)) {
			w.fail("%s refused %v and is offered %v next", ln.name, ln.rest, records)
		}
		return
	}
	if w.ambiguous(records, ln.rest) {
		ln.rest = records
	}
	if n := len(ln.rest); n > 0 && (ln.optional || ln.onFull != link.FullDefault) { // the oldest may have left
		same := func(a, b record.Record) bool { return a.Payload == b.Payload && a.ID() == b.ID() }
		other := u.Number != ln.update.Number || u.Attempt == 1
		for len(ln.rest) > 0 && (other || len(records) == 0 || !same(records[0], ln.rest[0])) {
			ln.rest = ln.rest[1:]
		}
	}
	if n := len(ln.rest); n > 0 { // what was refused comes first, in order and alone
		same := func(a, b record.Record) bool { return a.Payload == b.Payload && a.ID() == b.ID() }
		if !slices.EqualFunc(records, ln.rest, same) {
			w.fail("%s refused %v and is offered %v next", ln.name, ln.rest, records)
		}
		if u.Attempt != ln.update.Attempt+1 || u.Number != ln.update.Number {
			w.fail("%s: attempt %d of transfer %d follows attempt %d of %d", ln.name, u.Attempt, u.Number, ln.update.Attempt, ln.update.Number)
		}
		return
	}
	// What waited before a stage of the lane goes on under the update of a later one.
	if len(records) > 0 && u.Attempt != 1 || u.Number < ln.update.Number && len(ln.stages) == 0 && !(ln.spool != nil && w.pipeline.pushEmpty) {
		w.fail("%s: attempt %d of transfer %d follows transfer %d", ln.name, u.Attempt, u.Number, ln.update.Number)
	}
	if doubled {
		return
	}
	for _, rec := range records {
		result := ln.result(rec)
		if result == nil || w.inlets[result.item.Inlet].rewound {
			continue
		}
		place := crashPlace{inlet: result.item.Inlet}
		switch ln.order {
		case noOrder:
			continue
		case keyOrder:
			place.key = result.item.Key
		}
		if was, ok := ln.newest[place]; ok && !was.before(result.item) {
			w.fail("%s: %+v comes after %+v", ln.name, result.item, was)
		}
		ln.newest[place] = result.item
	}
}

// ambiguous reports whether a and b are the same but for their order, and some of them
// were pulled, or are there, twice: which of two has become a dead letter cannot be known.
func (w *crashWorld) ambiguous(a, b []record.Record) bool {
	count := make(map[string]int)
	twice := false
	for _, r := range a {
		count[r.ID()]++
		twice = twice || w.row(r.Payload.(crashItem)).pulls > 1 || count[r.ID()] > 1
	}
	for _, r := range b {
		count[r.ID()]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return twice && w.pipeline.letters
}

// twice reports whether some of records were pulled twice: which of two has become a dead
// letter, and which is in the spool, cannot be known.
func (w *crashWorld) twice(records []record.Record) bool {
	return slices.ContainsFunc(records, func(r record.Record) bool { return w.row(r.Payload.(crashItem)).pulls > 1 })
}

func (i crashItem) before(o crashItem) bool {
	return i.Seq < o.Seq || i.Seq == o.Seq && i.Path < o.Path
}

// result returns the place of rec in the sink, or nil if it has none.
func (ln *crashLane) result(rec record.Record) *crashResult {
	w := ln.w
	item, ok := rec.Payload.(crashItem)
	if ok {
		if row := w.row(item); row != nil {
			results := row.results[ln.index]
			for i := range results {
				if results[i].item == item && rec.ID() == results[i].id && rec.Inlet() == w.inlets[item.Inlet].name {
					return &results[i]
				}
			}
		}
	}
	w.fail("%s gets %v of %s, %+v, which belongs nowhere", ln.name, rec.ID(), rec.Inlet(), rec.Payload)
	return nil
}

// row returns the row that item comes from, or nil.
func (w *crashWorld) row(item crashItem) *crashRow {
	if item.Inlet < 0 || item.Inlet >= len(w.inlets) || item.Seq < 1 || item.Seq > len(w.inlets[item.Inlet].rows) {
		return nil
	}
	return w.inlets[item.Inlet].rows[item.Seq-1]
}
