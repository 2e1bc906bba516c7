package link

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/record"
)

// abandon leaves behind the calls that have not returned, and returns the names of
// the nodes. front says that one of them is before a hand-over.
func (l *Link) abandon() (hung []string, front bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left != nil {
		n := 0
		for _, z := range l.left.zombies {
			if z.running() {
				l.left.zombies[n] = z
				n++
			}
		}
		l.left.zombies = l.left.zombies[:n]
	}
	hung = l.calls()
	if t := l.front; t != nil {
		front = true
		l.front = nil
		if l.chain != nil {
			l.chain.dead.Store(true)
		}
		names := t.calling()
		if len(names) == 0 {
			names = append(names, l.culprit())
		}
		for _, name := range names {
			left := l.depart()
			left.zombies = append(left.zombies, zombie{name, nil, func() bool { return !t.handed }})
		}
		t.giveUp(strings.Join(names, ", "))
	}
	for _, ln := range l.allLanes() {
		if ln.working {
			ln.giveUp()
		}
	}
	l.idle.Broadcast()
	return hung, front
}

// giveUp ends a transfer that hangs before its hand-over. l.mu is held.
func (t *Transfer) giveUp(node string) {
	l := t.link
	t.dead = true
	if t.reason != record.Flush && !t.blocked {
		l.due = t.due // it may have pulled
	}
	if !t.taken { // what some inlets have returned while another hangs
		for _, s := range t.sources {
			if atomic.LoadInt32(&s.state) == returned {
				l.account.Pulled += int64(len(s.records))
				l.transit = append(slices.Clip(l.transit), s.records...)
			}
		}
	}
	if t.stop {
		return
	}
	t.errs = append(t.errs, &Error{Op: OpShutdown, Link: l.name, Node: node, Number: t.number, Err: errAbandoned})
	t.outcome, t.err = Failed, join(t.errs)
	t.account, t.lent = Account{}, false
	t.took = time.Since(t.began)
	t.finish()
}

// drain empties stages, holders and queues into the account. front says that the
// stages of the link are left behind. It returns what hangs.
func (l *Link) drain(p *patience, front bool) (hung []string) {
	var held []record.Record
	if !front {
		held = l.empty(p, l.chain, &hung)
	}
	l.mu.Lock()
	a := &l.account
	left := append(slices.Clip(l.transit), held...)
	if l.chain != nil {
		for _, p := range l.chain.replays {
			left = append(left, p.records...)
		}
		l.chain.replays, l.chain.next = nil, time.Time{}
	}
	abandoned := int64(len(l.transit)) + a.Held + a.Failed
	l.transit = nil
	a.Held, a.Failed = 0, 0
	a.Abandoned += abandoned
	a.Lost += l.lost(abandoned-l.chain.emptied(), left)
	lanes := l.allLanes()
	l.mu.Unlock()
	for _, ln := range lanes {
		var held []record.Record
		l.mu.Lock()
		dead := ln.dead
		l.mu.Unlock()
		if !dead {
			held = ln.in.empty(l, p, &hung)
		}
		l.mu.Lock()
		ln.returned() // a call that hangs has it, but it is in the spool still
		left := ln.empty()
		abandoned := ln.account.Pending + ln.account.Held
		ln.account.Pending, ln.account.Held = 0, 0
		ln.account.Abandoned += abandoned
		if ln.optional { // commits have not waited for it
			ln.account.Lost += abandoned
		} else {
			ln.account.Lost += l.lost(abandoned-ln.in.emptied(), append(left, held...))
		}
		ln.dead = true
		l.mu.Unlock()
	}
	return hung
}

// empty empties a chain, unless one of its holders hangs: its name is added to
// hung.
func (l *Link) empty(p *patience, c *chain, hung *[]string) []record.Record {
	if c == nil {
		return nil
	}
	if p.spent(graceCommit) { // there is no time left to ask holders
		return c.leave()
	}
	emptied := make(chan []record.Record, 1)
	emptying := begin(func() error {
		emptied <- c.empty(p.context())
		return nil
	})
	if !p.within(graceCommit, emptying) {
		name := c.calling()
		l.leaveBehind(name, emptying)
		*hung = append(*hung, name)
		return nil
	}
	select {
	case left := <-emptied:
		return left
	default: // a holder has called runtime.Goexit
		return nil
	}
}

// lost returns how many of n abandoned records no inlet will return again. left
// are those that are known. l.mu is held.
func (l *Link) lost(n int64, left []record.Record) (lost int64) {
	all := !slices.ContainsFunc(l.inlets, func(s *source) bool { return !s.resumable() })
	if all && l.account.Replayed == 0 && !slices.ContainsFunc(l.lanes, func(ln *lane) bool { return ln.account.Replayed > 0 }) {
		return 0
	}
	for _, r := range left {
		o := r.Origin()
		i := slices.IndexFunc(l.inlets, func(s *source) bool { return &s.origin == o })
		if i >= 0 && l.inlets[i].resumable() || o != nil && o.Spooled {
			continue
		}
		lost++
	}
	return max(0, min(n, lost+max(0, n-int64(len(left)))))
}
