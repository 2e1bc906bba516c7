package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/record"
)

// Preview is what a [Link.DryRun] has found out.
type Preview struct {
	Link string

	// Inlets say what each inlet returned, in their order.
	Inlets []InletPreview

	// Lanes say what each lane would be given to push, in their order.
	Lanes []LanePreview

	// Holding names the processors that hold records. They are not called, so that
	// nothing comes after them: Held says how many records came to them.
	Holding []string
	Held    int
}

// InletPreview is the sample of one inlet.
type InletPreview struct {
	Name    string
	Records []record.Record

	// Kept says that the inlet cannot return the records again. They are the
	// first that the next transfer pulls.
	Kept bool
}

// LanePreview is what one lane would push.
type LanePreview struct {
	Name    string
	Batches [][]record.Record
}

// String returns the preview in lines, with at most three records of each inlet and
// lane.
func (p Preview) String() string {
	var b strings.Builder
	list := func(records []record.Record) {
		const shown = 3
		for _, r := range records[:min(shown, len(records))] {
			fmt.Fprintf(&b, "  %v\n", r)
		}
		if more := len(records) - shown; more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	for _, in := range p.Inlets {
		fmt.Fprintf(&b, "inlet %s: %d records\n", in.Name, len(in.Records))
		list(in.Records)
	}
	for _, name := range p.Holding {
		fmt.Fprintf(&b, "processor %s: holds records\n", name)
	}
	for _, ln := range p.Lanes {
		var all []record.Record
		for _, batch := range ln.Batches {
			all = append(all, batch...)
		}
		fmt.Fprintf(&b, "lane %s: %d records in %d batches\n", ln.Name, len(all), len(ln.Batches))
		list(all)
	}
	return b.String()
}

// sample is what a dry run has pulled from an inlet that cannot return it again.
type sample struct {
	records []record.Record
	until   time.Time // end of its window
}

// DryRun pulls once from all inlets, runs the processors and the groupers, and shows
// what each lane would be given to push. Nothing is pushed or committed, and nothing is
// lost: inlets that can be are set back, brokers are not told, and what others have
// returned is kept for the next transfer.
//
// Inlets, groupers and processors are started and shut down again; outlets are not
// touched. Processors that hold records are not called. Those that remember what they
// were given in another way will remember the sample.
//
// The error joins what has failed, each an [*Error]; the Preview shows what came to be
// all the same. It is [ErrRunning] if the link is running.
func (l *Link) DryRun(ctx context.Context) (p Preview, err error) {
	c, err := l.change(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer c.end()
	if c.running {
		return Preview{}, fmt.Errorf("link %q: %w", l.name, ErrRunning)
	}
	if hung := l.Busy(); len(hung) > 0 {
		return Preview{}, fmt.Errorf("link %q: calls that were given up are still running: %s", l.name, strings.Join(hung, ", "))
	}
	ns := c.nodes
	if ns == nil {
		ns = new(Nodes)
	}
	var up []any
	defer func() { err = errors.Join(err, l.takeDown(c.base, ns, up)) }()
	for _, node := range l.dryNodes() {
		if err := ns.start(c.ctx, l, node); err != nil {
			return Preview{}, &Error{Op: OpStart, Link: l.name, Node: nameOf(node), Number: -1, Err: err}
		}
		up = append(up, node)
	}
	p = Preview{Link: l.name}
	records, err := l.drySample(c.ctx, &p)
	through := p // by the stages, which may be left behind
	ended := l.try(c.ctx, "processors", func() error { return l.dryStages(c.ctx, &through, records) })
	if errors.Is(ended, errAbandoned) {
		return p, errors.Join(err, &Error{Op: OpProcess, Link: l.name, Node: "processors", Number: -1, Err: ended})
	}
	return through, errors.Join(err, ended)
}

// dryNodes returns the nodes that a dry run calls, in the order in which they are
// started.
func (l *Link) dryNodes() (nodes []any) {
	chains := []*chain{l.chain}
	for _, ln := range l.lanes {
		if ln.in != nil {
			chains = append(chains, ln.in.chain)
		}
	}
	for _, c := range chains {
		for _, node := range c.nodes() {
			if _, holds := capability[record.Holder](node); !holds {
				nodes = append(nodes, node)
			}
		}
	}
	for _, s := range l.inlets {
		nodes = append(nodes, s.in)
	}
	return nodes
}

// drySample pulls from all inlets and returns what they returned, in their order.
func (l *Link) drySample(ctx context.Context, p *Preview) (records []record.Record, err error) {
	var points map[string]point
	if l.journal != nil {
		loaded := make(chan *journal, 1)
		err := l.try(ctx, "store", func() error {
			fresh, _, err := (&journal{store: l.journal.store, key: l.journal.key}).load(ctx, 0)
			loaded <- fresh
			return err
		})
		if err != nil {
			return nil, &Error{Op: OpState, Link: l.name, Node: l.journal.key, Number: -1, Err: err}
		}
		points = (<-loaded).points
	}
	due := time.Now().Round(0)
	var errs []error
	failed := func(op Op, s *source, err error) {
		if err != nil {
			errs = append(errs, &Error{Op: op, Link: l.name, Node: s.name(), Number: -1, Err: err})
		}
	}
	for _, s := range l.inlets {
		if err := s.rewind(ctx, l, points[s.name()]); err != nil {
			failed(OpSeek, s, err)
			continue
		}
		var returned, left bool // guarded by l.mu
		l.mu.Lock()
		if k := l.kept[s]; k.until.After(s.from) {
			s.from = k.until
		}
		l.mu.Unlock()
		t := &Transfer{transfer: transfer{link: l, ctx: ctx, number: l.number, due: due, reason: record.Forced}}
		failed(OpPull, s, l.try(ctx, s.name(), func() error {
			defer func() { // also after runtime.Goexit
				l.mu.Lock()
				if returned = true; left { // nobody waits for it any more
					l.keep(s, due)
				}
				l.mu.Unlock()
			}()
			s.pullAside(t)
			return s.err
		}))
		l.mu.Lock()
		if left = !returned; left {
			l.mu.Unlock()
			continue
		}
		pulled := l.keep(s, due)
		l.mu.Unlock()
		p.Inlets = append(p.Inlets, InletPreview{Name: s.name(), Records: pulled, Kept: !s.resumable() && len(pulled) > 0})
		records = append(records, pulled...)
		failed(OpSeek, s, s.rewind(ctx, l, points[s.name()]))
	}
	return records, errors.Join(errs...)
}

// keep takes what a dry run for due has pulled from s, keeps it if s will not return it
// again, and returns it with what was kept before. l.mu is held.
func (l *Link) keep(s *source, due time.Time) []record.Record {
	k := l.kept[s]
	pulled := append(k.records[:len(k.records):len(k.records)], s.records...)
	if s.take(due); !s.resumable() {
		if l.kept == nil {
			l.kept = make(map[*source]sample)
		}
		l.kept[s] = sample{pulled, s.from}
	}
	return pulled
}

// dryStages runs records through stages of their own, up to those that hold records.
func (l *Link) dryStages(ctx context.Context, p *Preview, records []record.Record) error {
	var errs []error
	run := func(c *chain, records []record.Record) (batches [][]record.Record) {
		for _, s := range c.list() {
			if s.hold != nil {
				p.Holding = append(p.Holding, s.name)
				p.Held += len(records)
				return nil
			}
			records, _ = s.run(ctx, records, nil, c, func(err *Error) {
				err.Link, err.Number, err.Kept = l.name, -1, false
				errs = append(errs, err)
			})
		}
		if c != nil && c.grouping != nil {
			return c.grouping.take()
		}
		if len(records) > 0 {
			batches = append(batches, records)
		}
		return batches
	}
	dry := func(c *chain) *chain {
		if c == nil {
			return nil
		}
		return newChain(c.processors, c.groupers)
	}
	lanes := l.lanes
	batches := run(dry(l.chain), records)
	for _, ln := range lanes {
		lane := LanePreview{Name: ln.account.Name}
		if ln.in == nil {
			lane.Batches = batches
		} else {
			c := dry(ln.in.chain)
			for _, batch := range batches {
				lane.Batches = append(lane.Batches, run(c, batch)...)
			}
		}
		p.Lanes = append(p.Lanes, lane)
	}
	return errors.Join(errs...)
}

// unpack adds what a dry run has kept to what t has pulled. l.mu is held.
func (l *Link) unpack(t *Transfer) {
	if t.dead {
		return
	}
	for _, s := range t.sources {
		if k, ok := l.kept[s]; ok {
			s.records = append(k.records[:len(k.records):len(k.records)], s.records...)
			delete(l.kept, s)
		}
	}
}
