package link_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// crashLetters is the dead-letter outlet of all lanes and stages in one process. A
// record that has become a dead letter counts as arrived where it was on its way to.
type crashLetters struct{ p *crashProcess }

func (o *crashLetters) String() string { return "letters" }

func (o *crashLetters) Push(ctx context.Context, records []record.Record, u record.Update) error {
	r, last, err := o.p.step(ctx, "letters")
	if err != nil {
		return err
	}
	w := o.p.w
	defer w.mu.Unlock()
	var failures record.Failures
	accepted := 0
	h := w.outcome(r, 20)
	for i, rec := range records {
		if !last && h == succeeds && (w.calm || chance(r, 85)) || (last || h == fails) && chance(r, 30) {
			w.inter(rec, u)
			accepted++
			continue
		}
		failures.Add(i, errPlanned)
	}
	w.trace("%d of %d dead letters of transfer %d are accepted", accepted, len(records), u.Number)
	switch {
	case last:
		return errCrashed
	case h == panics || h == exits: // then none is accepted
		return h.end()
	}
	return failures.Err()
}

// inter takes a dead letter.
func (w *crashWorld) inter(rec record.Record, u record.Update) {
	d, ok := rec.Payload.(link.DeadLetter)
	if !ok || rec.ID() != d.Record.ID() || d.Link != w.name || d.Number != u.Number || len(d.Reasons) == 0 {
		w.fail("wrong dead letter %v: %+v", rec, u)
		return
	}
	full := strings.HasPrefix(d.Reasons[0], "the lane is full")
	if d.Attempts < 1 && !full {
		w.fail("a dead letter of what was never offered: %v", d)
		return
	}
	w.stats.letters++
	item, ok := d.Record.Payload.(crashItem)
	if !ok || w.row(item) == nil {
		w.fail("a dead letter of %v, which belongs nowhere", d.Record)
		return
	}
	w.trace("dead letter of %s%s: %+v", d.Lane, d.Node, item)
	for _, ln := range w.lanes {
		if d.Lane != "" && d.Lane != ln.name {
			continue
		}
		items := []crashItem{item}
		if d.Stage == link.OpPush {
			i := slices.IndexFunc(ln.rest, func(r record.Record) bool { return r.ID() == rec.ID() && r.Payload == d.Record.Payload })
			offered := slices.ContainsFunc(w.waiting, func(c *crashCall) bool { return c.key == ln.name })
			switch {
			case full && offered: // it is one behind those
			case i >= 0:
				ln.rest = slices.Delete(slices.Clone(ln.rest), i, i+1)
			case !full && !ln.optional && !ln.relaxed && ln.spool == nil && ln.onFull == link.FullDefault: // else the oldest may have left
				w.fail("%s: a dead letter of %+v, which it has not refused", ln.name, item)
				return
			}
		} else {
			for _, s := range ln.after(d) {
				items = s.expected(items)
			}
		}
		for _, item := range items {
			w.arrive(ln, ln.find(item), item)
		}
	}
}

// after returns the stages on the way to a lane from the one on that has refused the
// record of d.
func (ln *crashLane) after(d link.DeadLetter) []crashStage {
	all := ln.stages
	if d.Lane == "" {
		all = slices.Concat(ln.w.pipeline.stages, ln.stages)
	}
	if d.Stage == link.OpGroup {
		return ln.stages
	}
	i := slices.IndexFunc(all, func(s crashStage) bool { return s.name == d.Node })
	if i < 0 {
		ln.w.fail("a dead letter of the unknown stage %s", d.Node)
		return nil
	}
	return all[i:]
}

// find returns the place of item in the sink, or nil.
func (ln *crashLane) find(item crashItem) *crashResult {
	results := ln.w.row(item).results[ln.index]
	for i := range results {
		if results[i].item == item {
			return &results[i]
		}
	}
	return nil
}

// findAll returns what find does, if there is something.
func (ln *crashLane) findAll(item crashItem) []*crashResult {
	if result := ln.find(item); result != nil {
		return []*crashResult{result}
	}
	return nil
}

// arrive notes that item has arrived in a lane.
func (w *crashWorld) arrive(ln *crashLane, result *crashResult, item crashItem) {
	if result == nil {
		w.fail("%s: %+v belongs nowhere", ln.name, item)
		return
	}
	row := w.row(item)
	result.count++
	result.term = w.term
	if result.count > 1 {
		w.stats.duplicates++
	}
	if allowed := 1 + row.again + result.again; result.count > allowed {
		w.fail("%s: %+v is there %d times, allowed are %d", ln.name, item, result.count, allowed)
	}
}

// crashNamed is a processor with the name of its stage.
type crashNamed struct {
	record.Processor
	name string
}

func (n crashNamed) String() string           { return n.name }
func (n crashNamed) Unwrap() record.Processor { return n.Processor }

// newCrashRetry draws how a lane tries again.
func newCrashRetry(r *rand.Rand) link.Retry {
	retry := link.Retry{Jitter: -1, Tries: 1 + r.IntN(4), Backoff: time.Duration(r.IntN(1000)) * time.Millisecond}
	if chance(r, 20) {
		retry.Gap = time.Duration(r.IntN(3000)) * time.Millisecond
	}
	return retry
}
