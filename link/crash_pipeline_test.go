package link_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// crashPipeline is what the links of a crash test are made of.
type crashPipeline struct {
	w              *crashWorld
	stages         []crashStage
	groupers       []crashGrouper
	concurrency    int
	maxUncommitted int
	pushEmpty      bool
	isolation      link.Isolation
	stubborn       bool // nodes ignore their contexts
	letters        bool // there is a dead-letter outlet
}

func (p *crashPipeline) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline:")
	for _, in := range p.w.inlets {
		fmt.Fprintf(&b, " %s(limit %d);", in.name, in.limit)
	}
	for _, s := range p.stages {
		fmt.Fprintf(&b, " %s;", s.name)
	}
	for _, g := range p.groupers {
		fmt.Fprintf(&b, " %s;", g.name)
	}
	for _, ln := range p.w.lanes {
		fmt.Fprintf(&b, " %s(read-only %v, pending %d, order %d, %+v, optional %v, relaxed %v, on full %d, %+v", ln.name, ln.readOnly, ln.pending, ln.order, ln.retry, ln.optional, ln.relaxed, ln.onFull, ln.giveUp)
		for _, s := range ln.stages {
			fmt.Fprintf(&b, "; %s", s.name)
		}
		b.WriteString(");")
	}
	fmt.Fprintf(&b, " concurrency %d, uncommitted %d, push empty %v, isolation %d, stubborn %v, atomic %v, letters %v",
		p.concurrency, p.maxUncommitted, p.pushEmpty, p.isolation, p.stubborn, p.w.atomic, p.letters)
	return b.String()
}

// draw draws the pipeline.
func (w *crashWorld) draw() {
	r := w.rng
	p := &crashPipeline{w: w}
	w.pipeline = p
	w.store = &crashStore{w: w}
	some := func(percent int, of ...int) int {
		if chance(r, percent) {
			return of[r.IntN(len(of))]
		}
		return 0
	}
	p.concurrency = some(30, 1, 2)
	p.maxUncommitted = some(25, 1, 2, 5, -1)
	p.pushEmpty = chance(r, 10)
	p.isolation = link.Isolation(some(30, 1, 2))
	p.stubborn = chance(r, 30)
	p.letters = chance(r, 45)
	for i := range some(60, 1, 1, 2, 3) {
		p.stages = append(p.stages, newCrashStage(r, fmt.Sprintf("stage%d", i), false))
	}
	if chance(r, 20) { // one holder gives to another
		p.stages = append(p.stages, newCrashStage(r, "holder0", true), newCrashStage(r, "holder1", true))
	}
	for i := range some(50, 1, 1, 2) {
		p.groupers = append(p.groupers, newCrashGrouper(r, fmt.Sprintf("grouper%d", i)))
	}
	for i := range 1 + r.IntN(3) {
		ln := &crashLane{w: w, index: i, name: fmt.Sprintf("lane%d", i), pending: some(30, -1, 2, 6, 15)}
		ln.retry = newCrashRetry(r)
		ln.optional, ln.relaxed = chance(r, 20), chance(r, 15)
		if !ln.relaxed && chance(r, 25) {
			ln.spool, ln.pending, ln.onFull = &crashSpool{name: ln.name + " spool", results: ln.findAll}, 1+r.IntN(8), link.Spill
		}
		if p.letters {
			ln.giveUp.Offers = some(40, 1, 2, 4)
			if ln.spool == nil && chance(r, 30) {
				ln.onFull = link.DeadLetterOldest
			}
		}
		ln.readOnly = p.isolation == link.SharePayloads || chance(r, 50)
		for k := range some(35, 1, 1, 2) {
			ln.stages = append(ln.stages, newCrashStage(r, fmt.Sprintf("lane%d.%d", i, k), false))
		}
		for _, s := range slices.Concat(p.stages, ln.stages) {
			ln.order = max(ln.order, s.order)
		}
		for _, g := range p.groupers {
			ln.order = max(ln.order, g.order)
		}
		w.lanes = append(w.lanes, ln)
	}
	connect(p.stages, func(ln *crashLane) []crashStage { return ln.stages }, w.lanes...)
	for _, ln := range w.lanes {
		connect(ln.stages, func(*crashLane) []crashStage { return nil }, ln)
	}
	w.atomic = len(w.lanes) == 1 && !w.lanes[0].optional && chance(r, 25)
	for i := range 1 + r.IntN(3) {
		in := &crashInlet{w: w, kind: crashKind(r.IntN(int(crashKinds))), index: i, limit: 1 + r.IntN(8)}
		in.name = fmt.Sprintf("%v%d", in.kind, i)
		w.inlets = append(w.inlets, in)
		for range r.IntN(8) {
			in.add(r.IntN(4))
		}
	}
	w.kills = r.IntN(5)
	w.stops = some(50, 1, 2)
	w.ticks = 4 + r.IntN(16)
	w.nextKill()
}

// nextKill draws the step of the next kill.
func (w *crashWorld) nextKill() {
	if w.killAt = 0; w.kills > 0 {
		w.killAt = w.steps + 1 + w.rng.IntN(40)
	}
}

// expected returns what becomes of item in a lane.
func (p *crashPipeline) expected(item crashItem, ln *crashLane) []crashItem {
	items := []crashItem{item}
	for _, s := range slices.Concat(p.stages, ln.stages) {
		items = s.expected(items)
	}
	return items
}

// build makes a process with the link in it.
func (w *crashWorld) build() error {
	p := &crashProcess{w: w}
	store := &crashClient{w.store, p}
	c := link.Config{
		Name: w.name, State: store, InletConcurrency: w.pipeline.concurrency, MaxUncommitted: w.pipeline.maxUncommitted,
		PushEmpty: w.pipeline.pushEmpty, Isolation: w.pipeline.isolation,
		OnError:  func(_ context.Context, err *link.Error) error { return w.judge(p, err) },
		OnReport: func(_ context.Context, r link.Report) { w.report(p, r) },
	}
	if w.pipeline.letters {
		c.DeadLetter = &crashLetters{p}
	}
	for _, in := range w.inlets {
		c.Inlets = append(c.Inlets, inlet.Inlet(in.node(p)))
	}
	for _, s := range w.pipeline.stages {
		c.Processors = append(c.Processors, crashNamed{s.build(p), s.name})
	}
	for _, g := range w.pipeline.groupers {
		c.Groupers = append(c.Groupers, g.build(p))
	}
	for _, ln := range w.lanes {
		lane := link.Lane{
			Outlet: ln.node(p, store), Name: ln.name, Pending: ln.pending, Retry: ln.retry, Optional: ln.optional, Relaxed: ln.relaxed,
			OnFull: ln.onFull, GiveUp: ln.giveUp,
		}
		if ln.spool != nil {
			lane.Spool = &crashSpooler{ln.spool, p}
		}
		for _, s := range ln.stages {
			lane.Processors = append(lane.Processors, crashNamed{s.build(p), s.name})
		}
		ln.accepted = 0
		c.Lanes = append(c.Lanes, lane)
	}
	l, err := link.New(c)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proc, w.link = p, l
	w.pulled, w.reports = 0, link.Account{}
	return err
}

// crashGrouper is a grouper of the pipeline.
type crashGrouper struct {
	name  string
	order crashOrder
	build func(p *crashProcess) record.Grouper
}

// newCrashGrouper draws a grouper.
func newCrashGrouper(r *rand.Rand, name string) crashGrouper {
	n := 1 + r.IntN(4)
	switch r.IntN(4) {
	case 0:
		g := record.Chunk(n)
		return crashGrouper{fmt.Sprintf("%s chunk(%d)", name, n), inletOrder, func(*crashProcess) record.Grouper { return g }}
	case 1:
		g := record.By(func(i crashItem) int { return i.Key })
		return crashGrouper{name + " by(key)", keyOrder, func(*crashProcess) record.Grouper { return g }}
	case 2:
		return crashGrouper{name + " reverse", noOrder, func(*crashProcess) record.Grouper {
			return record.GrouperFunc(func(_ context.Context, batches [][]record.Record) (out [][]record.Record, _ error) {
				for _, b := range slices.Backward(batches) {
					b = slices.Clone(b)
					slices.Reverse(b)
					out = append(out, b, nil) // an empty batch is none
				}
				return out, nil
			})
		}}
	}
	return crashGrouper{name + " flaky", inletOrder, func(p *crashProcess) record.Grouper {
		return record.GrouperFunc(func(ctx context.Context, batches [][]record.Record) ([][]record.Record, error) {
			r, last, err := p.step(ctx, name)
			if err != nil {
				return nil, err
			}
			w := p.w
			defer w.mu.Unlock()
			switch h := w.outcome(r, 25); {
			case last:
				return nil, errCrashed
			case h == succeeds:
				return batches, nil
			case chance(r, 25) && len(batches) > 0: // it forgets records
				return batches[1:], nil
			default:
				return batches, h.end()
			}
		})
	}}
}

// judge looks at a failure, and lets the link go on.
func (w *crashWorld) judge(p *crashProcess, err *link.Error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return nil
	}
	w.trace("error: %v", err)
	panicked, ok := errors.AsType[*link.PanicError](err.Err)
	switch {
	case errors.Is(err, link.ErrFenced), errors.Is(err, link.ErrUnbalanced):
		w.fail("%v", err)
	case ok && panicked.Value != nil && panicked.Value != any(errPlanned):
		w.fail("%v\n%s", err, panicked.Stack)
	case err.Link != w.name || err.Node == "":
		w.fail("wrong error %+v", err)
	}
	return nil
}
