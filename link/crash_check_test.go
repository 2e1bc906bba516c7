package link_test

import (
	"cmp"
	"slices"

	"github.com/databay-go/databay/link"
)

// begin begins a term: what is committed is where its pulls have to go on, and what
// is not committed may come again. again says that the link is the same as before.
func (w *crashWorld) begin(again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.term++
	w.stop = nil
	stored := w.store.parse()
	for _, in := range w.inlets {
		in.read, in.from = stored.position(in.name), stored.Inlets[in.name].From.Time
		in.number, in.rewound = -1, false
		for _, row := range in.rows {
			committed := false
			switch in.kind {
			case cursorKind:
				committed = row.item.Seq <= in.read
			case windowKind:
				committed = row.at.Before(in.from)
			case brokerKind:
				committed = row.item.Seq <= in.broker
			case onceKind:
				committed = true
			}
			if row.pulls > 0 && !committed {
				row.again++
			}
		}
	}
	a := w.link.Account() // what calls did that were left behind is not in it
	w.pulled = a.Pulled
	for i, ln := range w.lanes {
		ln.accepted = a.Lanes[i].Delivered
		ln.rest, ln.update.Number = nil, -1
		ln.newest = make(map[crashPlace]crashItem)
	}
	for _, s := range w.spools() {
		s.begin()
	}
	if !again {
		w.number = 0
	}
	w.number, w.due = max(w.number, stored.Number+1), stored.Due.Time
	w.doubt = false
}

// report looks at a report.
func (w *crashWorld) report(p *crashProcess, r link.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return
	}
	w.trace("report %d: %v %v", r.Number, r.Outcome, r.Account)
	hurried := w.stop != nil && w.stop.hurried
	switch {
	case r.Balance() != nil:
		w.fail("report %d: %v", r.Number, r.Balance())
	case r.Number != w.number && !hurried:
		w.fail("report %d comes instead of %d", r.Number, w.number)
	case r.Link != w.name || r.Outcome == link.Ran && r.Err != nil || r.Outcome == link.Failed && r.Err == nil:
		w.fail("wrong report of %s: %v, outcome %v, error %v", r.Link, r.Account, r.Outcome, r.Err)
	}
	w.number = r.Number + 1
	w.reports = w.reports.Add(r.Account)
}

// balance compares the sum of all reports with the account.
func (w *crashWorld) balance() link.Account {
	a := w.link.Account()
	if sum := w.reports; a.Balance() == nil && sum.String() != a.String() {
		w.expect(len(sum.Lanes) == 0 && a.Pulled == 0, "the reports sum up to %v, want %v", sum, a)
	}
	return a
}

// rest looks at a link in which nothing is going on.
func (w *crashWorld) rest() {
	a := w.link.Account()
	if !slices.ContainsFunc(w.lanes, func(ln *crashLane) bool { return ln.optional || ln.spool != nil }) { // what such a lane does may be in a later report
		w.balance()
	}
	open := a.Held + a.Failed
	stats := w.link.LaneStats()
	w.expect(a.Pulled == w.pulled, "%d records were pulled, want %d", a.Pulled, w.pulled)
	for i, ln := range a.Lanes {
		w.expect(ln.Delivered == w.lanes[i].accepted, "%s: %d records are delivered, want %d", ln.Name, ln.Delivered, w.lanes[i].accepted)
		w.expect(w.lanes[i].optional || w.lanes[i].spool != nil || ln.Pending >= int64(len(w.lanes[i].rest)), "%s: %d records are pending, want %d", ln.Name, ln.Pending, len(w.lanes[i].rest))
		open += ln.Held + ln.Pending
		if ln.Spooled > 0 { // the end of a transfer waits behind them, while the spool fails
			open += int64(stats[i].Transfers)
		}
	}
	if open > 0 || w.doubt || w.failure != "" || w.pipeline.pushEmpty { // an empty push may wait for a pause
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	stored := w.store.parse()
	for _, in := range w.inlets {
		if position := stored.position(in.name); in.kind == cursorKind && position != in.read {
			w.fail("everything is delivered, but %s has read up to %d, and %d is stored", in.name, in.read, position)
		}
	}
}

// halted looks at a link that was stopped in time, and ends the term. It returns
// true.
func (w *crashWorld) halted(s *crashStop) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.link.Account()
	left := a.Held + a.Failed
	for _, ln := range a.Lanes {
		left += ln.Held + ln.Pending
	}
	r := s.report
	now := r.Abandoned
	for _, ln := range r.Lanes {
		now += ln.Abandoned
	}
	w.trace("stopped: %v", a)
	switch {
	case left != 0:
		w.fail("something is left after Shutdown: %v", a)
	case r.Balance() != nil:
		w.fail("the report of Shutdown: %v", r.Balance())
	case w.calm && (now > 0 || len(w.waiting) > 0):
		w.fail("Shutdown gives up records though nothing fails: %v", r.Account)
	}
	if now > 0 {
		w.stats.abandoned++
	}
	w.clean[w.term] = now == 0 && len(w.waiting) == 0
	if stored := w.store.parse(); w.clean[w.term] && w.calm && stored.Number+1 != w.number {
		w.fail("after the stop %d is the last number that is stored, and %d the last that was used", stored.Number, w.number-1)
	}
	return true
}

// drained reports whether everything that there is was pulled, and nothing waits
// but what processors hold.
func (w *crashWorld) drained() bool {
	a := w.link.Account()
	waits := a.Failed
	for _, ln := range a.Lanes {
		waits += ln.Pending + ln.Spooled
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return waits == 0 && !slices.ContainsFunc(w.inlets, func(in *crashInlet) bool { return !in.exhausted() })
}

// finish looks at what has arrived when everything is done.
func (w *crashWorld) finish() {
	w.balance()
	w.mu.Lock()
	defer w.mu.Unlock()
	stored := w.store.parse()
	for _, ln := range w.lanes {
		for _, s := range ln.spools() {
			if len(s.entries) > 0 {
				w.fail("%s holds %v at the end", s.name, s.entries)
			}
		}
	}
	for _, in := range w.inlets {
		if in.kind == cursorKind && stored.position(in.name) != len(in.rows) || in.kind == brokerKind && in.broker != len(in.rows) {
			w.fail("%s: %d of %d rows are committed at the end", in.name, cmp.Or(in.broker, stored.position(in.name)), len(in.rows))
		}
		if in.kind == windowKind && !stored.Inlets[in.name].From.Equal(in.from) {
			w.fail("%s: the window that ends at %v is stored at the end, want %v", in.name, stored.Inlets[in.name].From, in.from)
		}
		for _, row := range in.rows {
			if row.old || in.kind == onceKind && !w.clean[row.term] {
				continue
			}
			for i, results := range row.results {
				if w.lanes[i].optional { // it may have dropped it
					continue
				}
				for _, res := range results {
					if res.count == 0 {
						w.fail("MISSING: %s has never got %+v, which was pulled %d times", w.lanes[i].name, res.item, row.pulls)
					}
				}
			}
		}
	}
}
