package link_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// crashItem is the payload of all records of a crash test.
type crashItem struct {
	Inlet, Seq int    // the row it comes from
	Key        int    // of the row
	Path       int    // which child of which child it is
	Trail      uint64 // the maps it has passed
}

// crashRow is a row of a source. An update replaces it by another, at the end.
type crashRow struct {
	item    crashItem
	at      time.Time // when it came
	old     bool      // it has been replaced
	pulls   int       // how often it was pulled
	again   int       // how often it may be pulled again
	term    int       // in which it was pulled last
	results [][]crashResult
}

// crashResult is something that has to arrive in a lane because of a row.
type crashResult struct {
	item  crashItem
	id    string
	count int // how often it has arrived
	term  int // in which it has arrived last
	again int // how often it may arrive again, out of the spool
}

// crashKind is a kind of inlet.
type crashKind int

const (
	cursorKind crashKind = iota // keeps a position in the link's store
	windowKind                  // reads the window of the update
	brokerKind                  // keeps its position itself
	onceKind                    // yields every row once, whatever becomes of it
	crashKinds
)

func (k crashKind) String() string { return [...]string{"cursor", "window", "broker", "once"}[k] }

// crashInlet is a source, which survives, and how far links have read it.
type crashInlet struct {
	w     *crashWorld
	kind  crashKind
	name  string
	index int
	limit int         // rows a pull
	rows  []*crashRow // row i has Seq i+1

	broker int // Seq up to which the broker was told, or the last one that was given away

	// What is to be expected, in a term.
	read    int       // Seq up to which it was read
	from    time.Time // of the next window
	number  int64     // of the last pull
	rewound bool      // a window was read twice
}

// crashInlets are the nodes that read from a source: of one process.
func (in *crashInlet) node(p *crashProcess) inlet.Inlet {
	switch in.kind {
	case cursorKind:
		return &crashCursor{inlet.Since(in.name, func(ctx context.Context, after int) ([]record.Record, int, error) {
			return in.pull(p, ctx, after)
		}), in, p}
	case brokerKind:
		return &crashBroker{crashPlain: crashPlain{in, p}}
	default:
		return &crashPlain{in, p}
	}
}

// crashCursor looks at the update before a cursor is pulled.
type crashCursor struct {
	inlet.Inlet
	in *crashInlet
	p  *crashProcess
}

func (c *crashCursor) Unwrap() inlet.Inlet { return c.Inlet }

func (c *crashCursor) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	c.in.begin(c.p, u)
	records, err := c.Inlet.Pull(ctx, u)
	c.in.end(c.p, u, err)
	return records, err
}

// crashPlain is an inlet without a position.
type crashPlain struct {
	in *crashInlet
	p  *crashProcess
}

func (c *crashPlain) String() string { return c.in.name }

func (c *crashPlain) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	c.in.begin(c.p, u)
	after := c.in.broker
	if c.in.kind == windowKind {
		after = 0
	}
	records, _, err := c.in.pull(c.p, ctx, after, u.From, u.Due)
	c.in.end(c.p, u, err)
	return records, err
}

// crashBroker is an inlet whose position is kept by a broker.
type crashBroker struct {
	crashPlain
	session int
}

func (b *crashBroker) Start(ctx context.Context) error {
	r, last, err := b.p.step(ctx, b.in.name+" start")
	if err != nil {
		return err
	}
	w := b.p.w
	defer w.mu.Unlock()
	if last {
		return errCrashed
	}
	if h := w.outcome(r, 20); h != succeeds {
		return h.end()
	}
	b.session = b.in.broker
	b.in.read = b.session
	return nil
}

func (b *crashBroker) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	b.in.begin(b.p, u)
	records, next, err := b.in.pull(b.p, ctx, b.session)
	b.session = next
	b.in.end(b.p, u, err)
	return records, err
}

func (b *crashBroker) Position() []byte { return strconv.AppendInt(nil, int64(b.session), 10) }

func (b *crashBroker) Commit(ctx context.Context, position []byte) error {
	r, last, err := b.p.step(ctx, b.in.name+" commit")
	if err != nil {
		return err
	}
	w := b.p.w
	defer w.mu.Unlock()
	seq, err := strconv.Atoi(string(position))
	if err != nil || seq > len(b.in.rows) {
		w.fail("%s is told the position %q", b.in.name, position)
		return err
	}
	if stored := w.store.parse().position(b.in.name); stored != seq {
		w.fail("%s is told the position %d, and %d is stored", b.in.name, seq, stored)
	}
	for _, row := range b.in.rows[:seq] {
		w.delivered(row, false, "%s is told the position %d", b.in.name, seq)
	}
	h := w.outcome(r, 20)
	if h == succeeds || last || h == fails && chance(r, 50) { // the answer may be lost
		b.in.broker = seq
	}
	switch {
	case last:
		return errCrashed
	case h != succeeds:
		w.doubt = true
		return h.end()
	}
	return nil
}

// begin looks at the update of a pull.
func (in *crashInlet) begin(p *crashProcess, u record.Update) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return
	}
	switch {
	case !u.From.Equal(in.from):
		w.fail("%s: the window begins at %v, want %v, where the last one ended", in.name, u.From, in.from)
	case u.Due.Before(u.From):
		w.fail("%s: the window %v to %v is negative", in.name, u.From, u.Due)
	case u.Due.Before(w.due):
		w.fail("%s: the due %v is before the last one, %v", in.name, u.Due, w.due)
	case u.Number <= in.number:
		w.fail("%s: the number %d follows %d", in.name, u.Number, in.number)
	case u.Link != w.name || u.Reason == record.Flush || u.Attempt != 0:
		w.fail("%s: wrong update %+v", in.name, u)
	}
	in.number = u.Number
}

// end notes that a pull has ended with err.
func (in *crashInlet) end(p *crashProcess, u record.Update, err error) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return
	}
	w.due = u.Due
	if err == nil {
		in.from = u.Due
	}
}

// pull makes one pull. It returns up to where it has read.
func (in *crashInlet) pull(p *crashProcess, ctx context.Context, after int, window ...time.Time) ([]record.Record, int, error) {
	r, last, err := p.step(ctx, in.name)
	if err != nil {
		return nil, after, err
	}
	w := p.w
	defer w.mu.Unlock()
	if in.kind != windowKind && in.kind != onceKind && after != in.read {
		w.fail("%s is pulled from after %d, want %d, where the last pull ended", in.name, after, in.read)
	}
	if h := w.outcome(r, 12); h != succeeds {
		return nil, after, h.end()
	}
	var records []record.Record
	half := !w.calm && chance(r, 6) // an error comes together with records
	next := after
	for _, row := range in.rows[after:] {
		if in.kind == windowKind {
			if row.at.Before(window[0]) || !row.at.Before(window[1]) {
				continue
			}
		} else if len(records) == in.limit && !w.calm || len(records) > 20 {
			break
		}
		next = row.item.Seq
		if row.old {
			continue
		}
		row.pulls++
		row.term = w.term
		w.stats.pulls++
		if row.pulls > 1+row.again {
			w.fail("%s: row %d is pulled %d times, allowed are %d", in.name, row.item.Seq, row.pulls, 1+row.again)
		}
		records = append(records, record.New(row.item).WithID(in.id(row.item)))
		if in.kind == windowKind && half {
			row.again++
			in.rewound = true
		}
	}
	if in.kind == onceKind {
		in.broker = next
	}
	if last {
		return nil, after, errCrashed
	}
	in.read = next
	w.pulled += int64(len(records))
	w.trace("%s yields %d rows from after %d up to %d, half: %v", in.name, len(records), after, next, half)
	if half {
		return records, next, errPlanned
	}
	return records, next, nil
}

// grow makes rows come, or be updated.
func (w *crashWorld) grow(r *rand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.inlets[r.IntN(len(w.inlets))]
	for range 1 + r.IntN(4) {
		key := r.IntN(4)
		if in.kind <= windowKind && len(in.rows) > 0 && chance(r, 25) {
			row := in.rows[r.IntN(len(in.rows))]
			if row.old {
				continue
			}
			row.old = true
			key = row.item.Key
		}
		in.add(key)
	}
}

// id returns the ID of a record with item.
func (in *crashInlet) id(item crashItem) string {
	return in.name + "/" + strconv.Itoa(item.Seq) + item.path()
}

// add adds a row. w.mu is held.
func (in *crashInlet) add(key int) {
	w := in.w
	row := &crashRow{at: time.Now().Round(0).UTC()}
	row.item = crashItem{Inlet: in.index, Seq: len(in.rows) + 1, Key: key}
	for _, ln := range w.lanes {
		var results []crashResult
		for _, item := range w.pipeline.expected(row.item, ln) {
			results = append(results, crashResult{item: item, id: in.id(item)})
		}
		row.results = append(row.results, results)
	}
	in.rows = append(in.rows, row)
	w.stats.rows++
}

// exhausted reports whether there is nothing left to pull. w.mu is held.
func (in *crashInlet) exhausted() bool {
	switch in.kind {
	case windowKind:
		return len(in.rows) == 0 || in.rows[len(in.rows)-1].at.Before(in.from)
	case onceKind:
		return in.broker == len(in.rows)
	}
	return in.read == len(in.rows)
}

// path returns what flat-maps have added to the ID.
func (i crashItem) path() string {
	if i.Path == 0 {
		return ""
	}
	return crashItem{Path: i.Path / 8}.path() + "/" + strconv.Itoa(i.Path%8-1)
}
