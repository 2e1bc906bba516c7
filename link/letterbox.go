package link

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// letterbox is a dead-letter outlet. It may serve several lanes, and the stages of the
// link: they wait for one another.
type letterbox struct {
	out    outlet.Outlet
	name   string
	copier *record.Copier // nil: it gets no copies
	turn   chan struct{}  // full while the outlet is called
	calls  atomic.Bool    // the outlet is being called
}

// letterbox returns the letterbox of out: of known ones, or a new one.
func (l *Link) letterbox(out outlet.Outlet, known []*letterbox) *letterbox {
	for _, b := range known {
		if same(b.out, out) {
			return b
		}
	}
	b := &letterbox{out: out, name: nameOf(out), turn: make(chan struct{}, 1)}
	if l.copies(out) {
		b.copier = new(record.Copier)
	}
	return b
}

// letterboxes returns the letterboxes of the link and of lanes, each once.
func (l *Link) letterboxes(lanes []*lane) (all []*letterbox) {
	if l.letters != nil {
		all = append(all, l.letters)
	}
	for _, ln := range lanes {
		if b := ln.rules().box; b != nil && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}

// write writes letters and reports which of them the outlet has accepted. It waits for
// its turn, until ctx ends, and for the outlet.
func (b *letterbox) write(ctx context.Context, timeout time.Duration, letters []DeadLetter, u record.Update) (done []bool, err error) {
	done = make([]bool, len(letters))
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return done, context.Cause(ctx)
	}
	records := make([]record.Record, 0, len(letters))
	var uncopied record.Failures
	for i, d := range letters {
		if err := b.copy(&d); err != nil {
			uncopied.Add(i, err)
			continue
		}
		records = append(records, d.letter())
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	b.calls.Store(true)
	defer b.calls.Store(false)
	// In a goroutine of its own, so that a runtime.Goexit ends nothing else.
	if len(records) > 0 {
		err = alone(func() error { return b.out.Push(ctx, records, u) })
	}
	if missing := uncopied.Err(); missing != nil {
		err = merge(record.AsPartial(missing), len(letters), err)
	}
	rest, err := refusals(make([]record.Record, len(letters)), err)
	for i := range done {
		done[i] = true
	}
	for _, r := range rest {
		done[r.index] = false
	}
	return done, err
}

// copy gives the letter a copy of its payload, if the outlet gets copies.
func (b *letterbox) copy(d *DeadLetter) error {
	if b.copier == nil {
		return nil
	}
	return guard(func() error {
		p, err := b.copier.Payload(d.Record.Payload)
		d.Record = d.Record.With(p)
		return err
	}, nil)
}

// bury makes the refused records for which chosen reports true dead letters, of the
// named lane, as far as w allows. It reports which are written, and what has failed.
func (b *letterbox) bury(ctx context.Context, timeout time.Duration, w *window, d DeadLetter, t *Transfer, refused []refusal, chosen func(int) bool) (written map[int]bool, err error) {
	d.Time, d.Link = time.Now().Round(0), t.link.name
	d.Number, d.Due, d.Reason = t.number, t.due, t.reason
	var letters []DeadLetter
	var of []int
	for i, r := range refused {
		if chosen(i) {
			d.Record, d.Reasons = r.record, reasons(r.cause)
			letters, of = append(letters, d), append(of, i)
		}
	}
	room := w.room(len(letters))
	letters = letters[:room]
	written = make(map[int]bool)
	if room == 0 {
		return written, nil
	}
	u := t.update()
	u.Attempt = 1
	done, err := b.write(ctx, timeout, letters, u)
	for i, ok := range done {
		if ok {
			written[of[i]] = true
		}
	}
	w.fail(len(written))
	if err != nil {
		err = fmt.Errorf("dead letters: %w", err)
	}
	return written, err
}

// lettersFailed returns the failures to tell after dead letters of a window w were to be
// written: if err, that missing of them were not, and if there are too many the one that
// stops the link. l.mu is held.
func (l *Link) lettersFailed(b *letterbox, missing int, w *window, err error) (failures []*Error) {
	if err != nil {
		failures = append(failures, &Error{Op: OpDeadLetter, Node: b.name, Records: missing, Kept: true, Err: err})
	}
	if l.halted() == nil && w.exceeded() {
		l.limit.reached = w.tooMany()
		failures = append(failures, &Error{Op: OpDeadLetter, Node: b.name, Err: l.halted()})
	}
	return failures
}

// undertaker makes dead letters of what the stages of a chain have refused.
type undertaker struct {
	link     *Link
	lane     string // "" for the link's own stages
	optional bool
	box      *letterbox
	window   *window   // nil: there is no bound
	transfer *Transfer // that is being made
}

// bury lets dead letters of the chain go to box, if there is one. w counts them.
func (c *chain) bury(l *Link, box *letterbox, lane string, optional bool, w *window) {
	if c != nil && box != nil {
		c.undertaker = &undertaker{link: l, lane: lane, optional: optional, box: box, window: w}
	}
}

// arrived counts n records that the link's own stages are given.
func (u *undertaker) arrived(n int) {
	if u != nil && u.lane == "" {
		u.window.pass(int64(n))
	}
}

// arrivals returns the window of the link's own stages.
func (l *Link) arrivals() *window {
	w := newWindow(l.limit)
	if w != nil {
		w.arrivals = true
	}
	return w
}

// letterWindow returns a window of a lane.
func (l *Link) letterWindow(optional bool) *window {
	if optional {
		return nil
	}
	return newWindow(l.limit)
}

// during says which transfer the chain is run for.
func (c *chain) during(t *Transfer) {
	if c != nil && c.undertaker != nil {
		c.undertaker.transfer = t
	}
}

// bury makes dead letters of records that s has refused, but for those whose cause asks
// for a pause. It returns those that are left, and the indices of the others in what
// was given to s. A nil undertaker leaves everything.
func (u *undertaker) bury(ctx context.Context, s *stage, refused []refusal, fail func(*Error)) (left []refusal, written []int) {
	if u == nil || ctx.Err() != nil {
		return refused, nil
	}
	chosen := func(i int) bool { return longestPause(refused[i].cause) <= 0 }
	d := DeadLetter{Lane: u.lane, Stage: s.op, Node: s.name, Attempts: s.failures}
	done, err := u.box.bury(ctx, 0, u.window, d, u.transfer, refused, chosen)
	missing := 0
	for i, r := range refused {
		if done[i] {
			written = append(written, r.index)
			continue
		}
		left = append(left, r)
		if chosen(i) {
			missing++
		}
	}
	u.link.mu.Lock()
	failures := u.link.lettersFailed(u.box, missing, u.window, err)
	u.link.mu.Unlock()
	for _, failure := range failures {
		failure.Optional = u.optional && failure.Kept
		fail(failure)
	}
	return left, written
}
