package link

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/databay-go/databay/record"
)

// Replay puts the records of dead letters back to where they were refused: into the
// queue of their lane, behind what waits there, or before the processor or the groupers
// that have refused them. Those of a lane are offered at once, with the number, due and
// reason that they had; those before a stage of the link come with the next transfer.
// They hold back no commit.
//
// from yields the letters, as [ReadDeadLetters] does; filter, which may be nil, says
// which of them to take. Letters of another link are skipped. One that cannot be put
// back, because its lane or its node is not there or not the only one with its name, or
// that from yields with an error, is skipped and is in the error that Replay returns;
// the others are put back all the same. All letters are read before the first record is
// put back. n is how many were.
//
// Replay does not change where the letters come from: what is replayed twice is
// delivered twice. A record that is refused again is a new letter. What is abandoned by
// a Shutdown, or lost in a crash, before it is delivered is in the old letters only.
//
// The error is [ErrStopped], and nothing is replayed, if the link is not started or is
// being stopped.
func (l *Link) Replay(ctx context.Context, from iter.Seq2[DeadLetter, error], filter func(DeadLetter) bool) (n int, err error) {
	var letters []DeadLetter
	var errs []error
	for d, err := range from {
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case err != nil:
			errs = append(errs, err)
		case d.Link == l.name && (filter == nil || filter(d)):
			letters = append(letters, d)
		}
	}
	l.mu.Lock()
	switch {
	case l.phase != started:
		err = ErrStopped
	case l.journal.isFenced():
		err = ErrFenced
	default:
		err = l.halted()
	}
	if err != nil {
		l.mu.Unlock()
		return 0, errors.Join(append(errs, err)...)
	}
	t := &Transfer{transfer: transfer{link: l, number: -1, began: time.Now()}}
	for _, d := range letters {
		if t.number != d.Number || t.due != d.Due || t.reason != d.Reason {
			t = &Transfer{transfer: transfer{link: l, number: d.Number, due: d.Due, reason: d.Reason, began: t.began}}
		}
		if err := l.replay(d, t); err != nil {
			errs = append(errs, fmt.Errorf("link %q: replay a dead letter of transfer %d: %w", l.name, d.Number, err))
			continue
		}
		n++
	}
	for _, ln := range l.lanes {
		if ln.take() {
			ln.start()
		}
	}
	l.mu.Unlock()
	return n, errors.Join(errs...)
}

// replay puts the record of a letter back, as one of t. l.mu is held.
func (l *Link) replay(d DeadLetter, t *Transfer) error {
	r := []record.Record{d.Record}
	record.Stamp(r, &record.Origin{Inlet: d.Record.Inlet()}) // no inlet will return it again
	if d.Lane == "" {
		s, err := l.chain.find(d)
		if err != nil {
			return err
		}
		l.chain.replays = append(l.chain.replays, replay{s, r, t})
		l.account.Replayed++
		l.account.Failed++
		return nil
	}
	for _, ln := range l.lanes {
		if ln.account.Name != d.Lane {
			continue
		}
		if d.Stage == OpPush {
			ln.enqueueReplay(r, t)
		} else {
			var c *chain
			if ln.in != nil {
				c = ln.in.chain
			}
			s, err := c.find(d)
			if err != nil {
				return err
			}
			ln.in.replays = append(ln.in.replays, replay{s, r, t})
		}
		ln.account.Replayed++
		ln.account.Pending++
		return nil
	}
	return fmt.Errorf("there is no lane %q", d.Lane)
}

// enqueueReplay appends r to the queue, to the last batch if that is one of t. l.mu is
// held.
func (ln *lane) enqueueReplay(r []record.Record, t *Transfer) {
	q := &ln.queue
	if last := len(q.entries) - 1; last > q.first && q.entries[last].transfer == t {
		q.entries[last].records = append(q.entries[last].records, r...)
		return
	}
	ln.enqueue(entry{records: r, transfer: t})
}

// replay is a record that is put back before a stage.
type replay struct {
	stage    *stage
	records  []record.Record
	transfer *Transfer
}

// find returns the stage that has refused the record of d.
func (c *chain) find(d DeadLetter) (found *stage, err error) {
	for _, s := range c.list() {
		if s.op != d.Stage || s.name != d.Node {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("there are several stages %q", d.Node)
		}
		found = s
	}
	if found == nil {
		return nil, fmt.Errorf("there is no stage %q", d.Node)
	}
	return found, nil
}

// rejoin puts replayed records before their stages. It is called by whoever runs the
// chain.
func rejoin(replays []replay) {
	for _, p := range replays {
		p.stage.stuck = append(p.stage.stuck[:len(p.stage.stuck):len(p.stage.stuck)], p.records...)
	}
}
