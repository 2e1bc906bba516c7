package link

import (
	"sync"
	"time"
)

// Ready reports whether a transfer that begins at this moment need not wait: no
// other one is before its hand-over, and some required lane is idle, or if there is none,
// any lane.
func (l *Link) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready()
}

func (l *Link) ready() bool {
	if l.phase != started || l.front != nil {
		return false
	}
	required, idle := false, false
	for _, ln := range l.lanes {
		if ln.optional {
			idle = idle || !ln.working
			continue
		}
		if !ln.working {
			return true
		}
		required = true
	}
	return idle && !required
}

// occupied reports whether there is a required lane, and every one is working and none
// pauses between two tries. l.mu is held.
func (l *Link) occupied() (all bool) {
	for _, ln := range l.lanes {
		if ln.optional {
			continue
		}
		if all = ln.working && !ln.pauses(); !all {
			break
		}
	}
	return all
}

// quiet reports whether the current transfer has no report and no required lane is
// working.
func (l *Link) quiet() bool {
	if l.current == nil || l.current.stop {
		return false
	}
	for _, ln := range l.lanes {
		if ln.working && !ln.optional {
			return false
		}
	}
	return true
}

// required counts the required lanes. l.mu is held.
func (l *Link) required() (n int) {
	for _, ln := range l.lanes {
		if !ln.optional {
			n++
		}
	}
	return n
}

// full reports whether too much is undelivered for another pull. If there is to be one,
// lanes that drop what is too much do so. l.mu is held.
func (l *Link) full(pulls bool) bool {
	most := 0
	for _, ln := range l.lanes {
		switch {
		case ln.hasRoom() || ln.surplus() <= 0:
		case ln.rules().onFull == DropOldest:
			if pulls {
				ln.dropOldest()
			}
		default:
			return true
		}
		most = max(most, int(ln.ends))
	}
	if l.journal != nil {
		most = max(most, l.journal.waiting)
	}
	return l.maxUncommitted >= 0 && most >= int(l.maxUncommitted)
}

// Wake returns when a processor that holds records wants a transfer, or the zero
// time.
func (l *Link) Wake() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wake time.Time
	if l.chain != nil {
		wake = l.chain.next
	}
	for _, ln := range l.lanes {
		if ln.in != nil {
			wake = earlier(wake, ln.in.state.wake)
		}
	}
	return wake
}

// condition is a sync.Cond that wakes nobody, at no cost, while nobody waits. Its lock
// is held when its methods are called.
type condition struct {
	cond    sync.Cond
	waiting int
}

func (c *condition) Wait() {
	c.waiting++
	c.cond.Wait()
	c.waiting--
}

func (c *condition) Broadcast() {
	if c.waiting > 0 {
		c.cond.Broadcast()
	}
}
