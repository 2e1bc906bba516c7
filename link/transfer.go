package link

import (
	"context"
	"time"

	"github.com/databay-go/databay/record"
)

// Tick asks for a transfer.
type Tick struct {
	// Due is the instant the transfer is made for. Zero is the moment at which
	// it begins.
	Due time.Time

	// Reason is why. A [record.Flush] pulls nothing.
	Reason record.Reason

	// Next is the instant for which the next transfer will be made, or zero if
	// there is none or it is not known. A lane that tries again what was refused
	// stops before it.
	Next time.Time
}

// The phases of a transfer.
const (
	retrying = 1 + iota
	pulling
	processing
	handing
	serving
	ended = serving
)

// Transfer is one transfer that was begun.
type Transfer struct {
	transfer

	// What the next transfer uses again.
	clock   time.Time     // the last reading of the wall clock
	told    record.Update // what the only inlet is told, and then the only lane
	account Account       // its changes; guarded by Link.mu, as is lent
	lent    bool          // somebody else has the Lanes too: they are not to be changed
}

// transfer is what of a Transfer is cleared when it becomes another one.
type transfer struct {
	link  *Link
	ctx   context.Context // that nodes are called with: the link's
	stop  bool            // it is the last one, of a Shutdown
	phase uint8

	reason   record.Reason
	number   int64 // below 0: it is not made
	due      time.Time
	nextDue  time.Time
	began    time.Time
	sources  []*source
	batches  [][]record.Record
	one      [1][]record.Record // the array of batches, if there is one
	barriers []*barrier
	errs     []*Error
	blocked  bool
	inline   *lane // that the goroutine of the transfer works: the only required one
	spread   bool  // there are several, and they have goroutines of their own
	alone    bool  // no other lane has its records

	// Guarded by Link.mu.
	taken      bool    // what was pulled is taken over
	dead       bool    // given up by a Shutdown
	handed     bool    // the hand-over is done
	uses       int     // by lanes that have its records
	busy       []*lane // of a stop: those that were busy then
	outcome    Outcome
	took       time.Duration
	err        error         // all that has failed
	unbalanced *Error        // a mistake in the account
	finished   bool          // the report is made and has been delivered
	done       chan struct{} // closed then; made when somebody waits
	next       *Transfer     // in Link.outbox
}

// Transfer makes one transfer and returns its Report and its errors, less those
// for which a handler returned nil. It returns when the transfer is settled, when
// no lane is working any more, or when another transfer is handed over. If ctx
// ends while lanes are served by other goroutines, it returns ctx's error and the
// transfer goes on. A node that calls runtime.Goexit may end the calling goroutine:
// the transfer is made all the same, and Transfer does not return.
//
// The error is [ErrStopped] if the link is not started or is being stopped,
// [ErrFenced] if another writer has taken over, and [ErrInside] if ctx is that of
// a call that this link makes. Of several callers one waits for another.
func (l *Link) Transfer(ctx context.Context, tick Tick) (report Report, err error) {
	if FromContext(ctx) == l {
		return Report{}, ErrInside
	}
	l.mu.Lock()
	t := l.blank()
	t.begin(l, tick)
	if !t.finished {
		if err := t.await(ctx); err != nil {
			return Report{}, err
		}
	}
	err = t.result(&report)
	t.release()
	l.mu.Unlock()
	return report, err
}

// Begin makes one transfer as far as the calling goroutine has to do it: when it
// returns, records have been pulled, processed and handed over, and the only required
// lane has been served or, of several, one is idle or pauses between two tries. Other
// lanes may still be working. As with [Link.Transfer], a node may end the calling
// goroutine. It is for who runs links, as a planner does.
func (l *Link) Begin(tick Tick) *Transfer {
	l.mu.Lock()
	t := l.blank()
	t.begin(l, tick)
	l.mu.Unlock()
	return t
}

// begin makes the transfer as far as its goroutine has to. l.mu is held.
func (t *Transfer) begin(l *Link, tick Tick) {
	t.link, t.reason, t.nextDue = l, tick.Reason, tick.Next
	if t.enter(tick.Due) {
		t.run()
	}
}

// run runs the phases that are left. Each leaves the link in a state from which
// the next can go on, however it ends: user code that calls runtime.Goexit ends
// one phase, and the others are run while the goroutine's deferred functions are.
// l.mu is held, but not while user code is called, nor when that ends the goroutine.
func (t *Transfer) run() {
	l := t.link
	defer func() {
		if t.phase < ended {
			l.mu.Lock()
			t.run()
			l.mu.Unlock()
		}
	}()
	for t.phase < ended {
		t.phase++
		switch t.phase {
		case retrying:
			if t.stop || t.blocked || t.reason == record.Flush || l.chain != nil {
				t.retry()
			}
		case pulling:
			t.pull()
		case processing:
			t.process()
		case handing:
			t.hand()
		case serving:
			if t.inline != nil {
				t.inline.work()
			} else if t.spread {
				t.watch()
			}
		}
	}
}

// enter waits until no other transfer is before its hand-over, at most until the link
// is being stopped, and reports whether this one may be made. If not, its report
// says why. l.mu is held.
func (t *Transfer) enter(due time.Time) bool {
	l := t.link
	for l.front != nil && (t.stop || l.phase == started) {
		l.idle.Wait()
	}
	t.number, t.began = -1, t.now()
	now := due.IsZero()
	if now {
		due = t.began
	}
	t.due = due.Round(0) // the wall clock alone counts, whatever is done to it
	switch {
	case l.phase != started && !(t.stop && l.stop != nil && !l.stop.over):
		return t.refuse(Interrupted, ErrStopped)
	case l.journal.isFenced():
		return t.refuse(Failed, ErrFenced)
	case l.halted() != nil:
		return t.refuse(Failed, l.halted())
	}
	due, late := clampDue(t.reason, t.due, l.due)
	if late && !now {
		return t.refuse(Coalesced, nil)
	}
	t.due, t.number = due, l.number
	l.number++
	l.front = t
	t.ctx = l.renewed()
	t.sources = l.inlets
	t.blocked = l.full(t.reason != record.Flush)
	if l.chain != nil {
		rejoin(l.chain.replays)
		l.chain.replays = nil
	}
	return true
}

// now returns the time. It reads the wall clock at most once a millisecond: transfers
// back to back have the monotonic clock.
func (t *Transfer) now() time.Time {
	if d := time.Since(t.clock); 0 <= d && d < time.Millisecond {
		return t.clock.Add(d)
	}
	t.clock = time.Now()
	return t.clock
}

// clampDue returns the Due of a transfer after the last one that pulled was made
// for last, so that dues never go back. late says that a scheduled instant is not
// after it: it is covered already.
func clampDue(reason record.Reason, due, last time.Time) (_ time.Time, late bool) {
	if due.After(last) {
		return due, false
	}
	return last, reason == record.Scheduled
}

// refuse ends a transfer that is not made. l.mu is held.
func (t *Transfer) refuse(o Outcome, err error) bool {
	t.outcome, t.err, t.finished = o, err, true
	t.account, t.lent = Account{}, false
	t.link.idle.Broadcast()
	return false
}

// fail notes an error of this transfer and asks the handlers.
func (t *Transfer) fail(err *Error) {
	l := t.link
	err.Link, err.Number = l.name, t.number
	l.mu.Lock()
	dead := t.dead
	if !dead {
		t.errs = append(t.errs, err)
	}
	l.mu.Unlock()
	if !dead {
		l.judge(err)
	}
}

// Outcome returns how the transfer ended, or [Running].
func (t *Transfer) Outcome() Outcome {
	t.link.mu.Lock()
	defer t.link.mu.Unlock()
	return t.outcome
}

// Wait waits for the transfer's end, as [Link.Transfer] does.
func (t *Transfer) Wait(ctx context.Context) (r Report, err error) {
	t.link.mu.Lock()
	if !t.finished {
		if err := t.await(ctx); err != nil {
			return Report{}, err
		}
	}
	defer t.link.mu.Unlock()
	err = t.result(&r)
	return r, err
}

// await waits for the end of a transfer that goes on. It is called and returns with l.mu
// held, but releases it if ctx ends first, which is an error.
func (t *Transfer) await(ctx context.Context) error {
	l := t.link
	if t.done == nil {
		t.done = make(chan struct{})
	}
	l.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	return nil
}

// result sets r to the report of a transfer that has ended, and returns its error. l.mu
// is held.
func (t *Transfer) result(r *Report) error {
	t.fill(r)
	t.lent = true
	if t.number < 0 || len(t.errs) == 0 {
		return t.err
	}
	return t.open()
}

// fill sets r to the report of the transfer.
func (t *Transfer) fill(r *Report) {
	l := t.link
	r.Link = l.name
	r.Tags = l.tags
	r.Number = t.number
	r.Due = t.due
	r.Reason = t.reason
	r.Began = t.began
	r.Took = t.took
	r.Outcome = t.outcome
	r.Err = t.err
	r.Account = t.account
}

func (t *Transfer) report() (r Report) {
	t.fill(&r)
	return r
}

// update returns what nodes are told, less what differs between them.
func (t *Transfer) update() (u record.Update) {
	t.tell(&u)
	return u
}

func (t *Transfer) tell(u *record.Update) {
	u.Link = t.link.name
	u.Tags = t.link.tags
	u.Number = t.number
	u.Due = t.due
	u.Reason = t.reason
}

// blank returns a transfer that has not begun. l.mu is held.
func (l *Link) blank() *Transfer {
	if t := l.spare; t != nil {
		l.spare = nil
		return t
	}
	return l.pooled()
}

// pooled returns a blank transfer that the links of a planner share, or a new one.
func (l *Link) pooled() *Transfer {
	if l.nodes != nil {
		if t, ok := l.nodes.transfers.Get().(*Transfer); ok {
			return t
		}
	}
	return new(Transfer)
}

// Release says that the caller of [Link.Begin] is done with t, which may become
// another transfer then. Nobody may use t any more. It is not required.
func (t *Transfer) Release() {
	l := t.link
	l.mu.Lock()
	defer l.mu.Unlock()
	t.release()
}

// release makes t blank if nothing else refers to it. l.mu is held.
func (t *Transfer) release() {
	l := t.link
	if !t.finished || t.uses > 0 || t.done != nil || t.dead || l.delivering == t || l.nodes == nil {
		return
	}
	t.transfer = transfer{}
	if l.host == nil {
		l.spare = t
		return
	}
	l.nodes.transfers.Put(t)
}

// calling returns the names of the nodes that a transfer before its hand-over is
// calling.
func (t *Transfer) calling() (names []string) {
	for _, s := range t.sources {
		if s.calling() {
			names = append(names, s.name())
		}
	}
	if name := t.link.chain.calling(); name != "" {
		names = append(names, name)
	}
	for _, ln := range t.link.lanes {
		if ln.spill != nil && ln.spill.busy && !ln.working {
			names = append(names, ln.call())
		}
	}
	if b := t.link.letters; b != nil && b.calls.Load() {
		names = append(names, b.name)
	}
	return names
}
