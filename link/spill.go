package link

import (
	"context"
	"fmt"
	"slices"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// spill is what a lane has on disk: records that are older than those in its queue, but
// for the first entry if ahead says so. It is guarded by Link.mu.
type spill struct {
	spool    spool.Spool
	unread   bool      // there may be records in the spool that were not read
	seq      int64     // up to which it was read
	seqs     []int64   // of the records of the entry that was read, while it is in the queue
	ahead    bool      // the first entry of the queue comes before what is in the spool
	busy     bool      // the spool is called
	moving   bool      // records are being moved to the spool
	transfer *Transfer // whose update the records bear
}

// chunk is how many records are read at a time.
const chunk = 1000

// behind reports whether what is in the spool comes next. While records are being moved
// there nothing does: they are in the queue as well. l.mu is held.
func (sp *spill) behind() bool { return sp != nil && sp.unread && !sp.ahead && !sp.moving }

// spillOver moves what is in the queue to the spool, but for what is being offered and
// for what was read from there, and lets barriers pass that nothing else holds back.
// What the spool cannot take, ever, becomes dead letters, or stays. It returns what has
// failed. l.mu is held, but not meanwhile.
func (ln *lane) spillOver(ctx context.Context, t *Transfer) (failures []*Error) {
	l, sp, q := ln.link, ln.spill, &ln.queue
	first := q.first
	if ln.keepsHead() {
		first++
	}
	var records []record.Record
	var oldest *Transfer
	for i := first; i < len(q.entries); i++ {
		if oldest == nil && len(q.entries[i].records) > 0 {
			oldest = q.entries[i].transfer
		}
		records = append(records, q.entries[i].records...)
		q.entries[i].leaving = true // so that the lane does not offer it meanwhile
	}
	var refused []refusal
	var err error
	if len(records) > 0 {
		sp.moving = true
		err = sp.call(l, func() error { return sp.spool.Append(ctx, records) })
		refused, err = refusals(records, err)
	}
	moved := len(records) - len(refused)
	failure := &Error{Op: OpSpool, Node: ln.account.Name, Number: t.number, Records: len(refused), Optional: ln.optional, Err: err}
	var letters map[int]bool
	var lettersErr error
	forGood := func(i int) bool { return record.IsPermanent(refused[i].cause) }
	if w, box := ln.window, ln.rules().box; box != nil && len(refused) > 0 && !ln.dead {
		d := DeadLetter{Lane: ln.account.Name, Stage: OpPush}
		l.mu.Unlock()
		d.Node = nameOf(ln.out)
		letters, lettersErr = box.bury(ctx, ln.rules().timeout, w, d, t, refused, forGood)
		l.mu.Lock()
	}
	if ln.dead {
		return nil
	}
	missing := make(map[int]bool)
	for i, r := range refused {
		if !letters[i] {
			missing[r.index] = true
		}
	}
	ln.strip(missing)
	sp.moving = false
	if len(records) > 0 {
		sp.unread = true // also after an error: the answer may be all that is lost
		switch {
		case moved > 0:
			sp.carry(t)
		case sp.transfer == nil:
			sp.carry(oldest)
		}
	}
	ln.account.Spooled += int64(moved)
	ln.account.DeadLettered += int64(len(letters))
	ln.done(moved + len(letters))
	ln.passDurable()
	if err != nil {
		failure.DeadLettered, failure.Kept = len(letters), len(missing) > 0
		failure.handled = failure.DeadLettered > 0 && !failure.Kept
		failures = append(failures, failure)
	}
	for _, failure := range l.lettersFailed(ln.rules().box, len(missing), ln.window, lettersErr) {
		failure.Number, failure.Optional = t.number, ln.optional && failure.Kept
		failures = append(failures, failure)
	}
	return failures
}

// carry makes what is in the spool records of t. l.mu is held.
func (sp *spill) carry(t *Transfer) {
	if sp.transfer != nil {
		sp.transfer.uses--
	}
	t.uses++
	sp.transfer = t
}

// keepsHead reports whether the head of the queue is not to be moved to the spool: it is
// being offered, or is older than what is there. l.mu is held.
func (ln *lane) keepsHead() bool {
	return ln.queue.len() > 0 && (ln.calling && (ln.in == nil || !ln.in.inside) || ln.burying || ln.spill.ahead)
}

// passDurable lets barriers pass that only records in the spool are before. l.mu is held.
func (ln *lane) passDurable() {
	q := &ln.queue
	for {
		at := q.first
		if ln.spill.seqs != nil {
			at++ // what was read from the spool is there still
		}
		if at >= len(q.entries) || q.entries[at].transfer != nil || len(q.entries[at].records) > 0 {
			return
		}
		e := q.entries[at]
		q.remove(at)
		if e.end {
			ln.passEnd(e.barrier)
		}
	}
}

// call calls the spool when nobody else does. l.mu is held, but not meanwhile.
func (sp *spill) call(l *Link, f func() error) error {
	for sp.busy {
		l.idle.Wait()
	}
	sp.busy = true
	l.mu.Unlock()
	err := alone(f)
	l.mu.Lock()
	sp.busy = false
	l.idle.Broadcast()
	return err
}

// strip takes records out of the entries that are leaving, but for missing ones, which
// are counted over all of these. l.mu is held.
func (ln *lane) strip(missing map[int]bool) {
	q, n := &ln.queue, 0
	rest := q.entries[:q.first:q.first]
	ln.spill.ahead = false
	for i := q.first; i < len(q.entries); i++ {
		e := q.entries[i]
		if !e.leaving {
			ln.spill.ahead = ln.spill.ahead || i == q.first
			rest = append(rest, e)
			continue
		}
		e.leaving = false
		left := e.records[:0:0]
		for _, r := range e.records {
			if missing[n] {
				left = append(left, r)
			}
			n++
		}
		if e.records = left; len(left) == 0 && e.transfer != nil {
			e.transfer.uses--
			e.transfer = nil
		}
		if e.end || len(left) > 0 {
			rest = append(rest, e)
		}
	}
	q.entries = rest
}

// unspool reads what comes next from the spool, and reports whether there is something
// to offer. l.mu is held, but not meanwhile.
func (ln *lane) unspool() bool {
	l, sp := ln.link, ln.spill
	if l.phase != started { // it is safe where it is
		return false
	}
	ctx, after := ln.link.ctx, sp.seq
	var entries []spool.Entry
	err := sp.call(l, func() (err error) {
		entries, err = sp.spool.Read(ctx, after, chunk)
		return err
	})
	if ln.dead {
		return false
	}
	if err == nil && len(entries) == 0 { // that was all
		ln.account.Dropped += ln.account.Spooled // somebody else has taken them
		ln.account.Damaged += ln.account.Spooled
		ln.account.Spooled, sp.unread = 0, false
		return true
	}
	if err != nil {
		l.failUnlocked(&Error{Op: OpSpool, Node: ln.account.Name, Number: sp.transfer.number, Kept: true, Optional: ln.optional, Err: err})
		return false
	}
	e := entry{transfer: sp.transfer}
	var seqs, damaged []int64
	for _, in := range entries {
		sp.seq = in.Seq
		if in.Err != nil {
			damaged, err = append(damaged, in.Seq), in.Err
			continue
		}
		e.records, seqs = append(e.records, in.Record), append(seqs, in.Seq)
	}
	ln.account.Spooled -= int64(len(entries))
	if extra := -ln.account.Spooled; extra > 0 { // of an Append that failed after all
		ln.account.Restored += extra
		ln.account.Spooled = 0
	}
	ln.account.Pending += int64(len(seqs))
	if len(seqs) > 0 {
		sp.seqs, sp.ahead = seqs, true
		sp.transfer.uses++
		ln.queue.pushFront(e)
	}
	if damaged != nil {
		ln.account.Dropped += int64(len(damaged))
		ln.account.Damaged += int64(len(damaged))
		l.failUnlocked(&Error{Op: OpSpool, Node: ln.account.Name, Number: sp.transfer.number, Records: len(damaged), Dropped: len(damaged), Optional: ln.optional, Err: err})
		ln.forget(damaged)
	}
	return !ln.dead
}

// taken notes which of the records that were read from the spool are left, by their
// places among those offered, and removes the others from it. l.mu is held, but not
// meanwhile.
func (ln *lane) taken(left []int) {
	sp := ln.spill
	if sp == nil || sp.seqs == nil {
		return
	}
	var rest, gone []int64
	for i, seq := range sp.seqs {
		if slices.Contains(left, i) {
			rest = append(rest, seq)
		} else {
			gone = append(gone, seq)
		}
	}
	sp.seqs = rest
	ln.forget(gone)
}

// forget removes records from the spool. l.mu is held, but not meanwhile.
func (ln *lane) forget(seqs []int64) {
	if len(seqs) == 0 {
		return
	}
	l, sp := ln.link, ln.spill
	ctx := context.WithoutCancel(l.ctx) // what was accepted is not to come again
	err := sp.call(l, func() error { return sp.spool.Remove(ctx, seqs) })
	if err != nil && !ln.dead {
		err = fmt.Errorf("what was accepted may be offered again after a start: %w", err)
		l.failUnlocked(&Error{Op: OpSpool, Node: ln.account.Name, Number: sp.transfer.number, Kept: true, Optional: ln.optional, Err: err})
	}
}

// restore takes over what is in the spools of lanes whose nodes were just started.
func (l *Link) restore(lanes []*lane) {
	for _, ln := range lanes {
		if ln.spill == nil {
			continue
		}
		var n int64
		alone(func() error { n = int64(ln.spill.spool.Stats().Records); return nil })
		l.mu.Lock()
		ln.restore(n)
		l.mu.Unlock()
	}
}

// restore takes over n records that are in the spool. l.mu is held.
func (ln *lane) restore(n int64) {
	sp := ln.spill
	ln.account.Restored += n - ln.account.Spooled
	ln.account.Spooled, sp.unread = n, n > 0
	sp.carry(&Transfer{transfer: transfer{link: ln.link, number: max(0, ln.link.number-1), due: ln.link.due, began: ln.link.due}})
}

// spills reports whether a lane has a spool.
func (l *Link) spills() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.allLanes(), func(ln *lane) bool { return ln.spill != nil })
}

// spillRest moves what is pending in lanes that have a spool there, so that it is not
// abandoned, and lets the barriers pass. It returns what has failed.
func (l *Link) spillRest(ctx context.Context, last *Transfer) (failures []*Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.allLanes() {
		if ln.spill != nil && !ln.working && !ln.dead {
			ln.returned()
			failures = append(failures, ln.spillOver(ctx, last)...)
		}
	}
	return failures
}

// returned counts what was read from the spool, and not accepted, as still there. l.mu is
// held.
func (ln *lane) returned() {
	sp := ln.spill
	if sp == nil || sp.seqs == nil || ln.queue.len() == 0 {
		return
	}
	e := ln.queue.head()
	n := int64(len(e.records))
	ln.account.Pending -= n
	ln.account.Spooled += n
	e.records, sp.seqs, sp.ahead = nil, nil, false
}
