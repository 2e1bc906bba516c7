package testkit_test

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
)

var errStopped = errors.New("the clock has stopped")

// clock is a trigger with a goroutine for each schedule, and a fault.
type clock struct {
	fault string

	mu       sync.Mutex
	emit     func(planner.Tick)
	began    time.Time // when it was started
	stopping chan struct{}
	stopped  bool
	after    int // emits after the Stop
	hands    map[string]*hand
	removed  map[string]*hand
	known    map[string]bool
	running  map[string]chan struct{} // emits, by goroutine
	adding   bool
	at       map[time.Time]int // emits at an instant
}

// hand is one schedule.
type hand struct {
	*clock
	id    string
	s     schedule.Schedule
	first time.Time
	added time.Time
	last  time.Time
	gone  chan struct{}
}

func newClock(fault string) *clock {
	return &clock{
		fault: fault, stopping: make(chan struct{}), hands: make(map[string]*hand), removed: make(map[string]*hand),
		known: make(map[string]bool), running: make(map[string]chan struct{}), at: make(map[time.Time]int),
	}
}

// goroutineID identifies the goroutine that calls it.
func goroutineID() string {
	buf := make([]byte, 64)
	return string(bytes.Fields(buf[:runtime.Stack(buf, false)])[1])
}

// inside reports whether it is called from inside emit. The lock is held.
func (c *clock) inside() bool { return c.running[goroutineID()] != nil }

func (c *clock) Add(id string, s schedule.Schedule, after time.Time) error {
	first := s.Next(after)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.fault {
	case "loses some":
		if c.adding {
			return nil
		}
		if len(c.hands) == 0 && first.After(time.Now()) {
			c.adding = true
			c.mu.Unlock()
			time.Sleep(time.Millisecond)
			c.mu.Lock()
			c.adding = false
		}
	case "waits for itself":
		if c.inside() {
			c.mu.Unlock()
			time.Sleep(hour)
			c.mu.Lock()
		}
	case "refused inside":
		if c.inside() {
			return errBroken
		}
	case "no more than 100":
		if len(c.hands) == 100 {
			return nil
		}
	case "known ids only":
		if c.emit != nil && !c.stopped && !c.known[id] {
			return nil
		}
	case "refused":
		if c.known[id] && len(c.hands) == 0 && !c.inside() {
			return errBroken
		}
	case "woken later":
		if next := c.earliest(); c.emit != nil && !next.IsZero() && first.Before(next) {
			inner := s
			s = nextFunc(func(after time.Time) time.Time { return maxTime(inner.Next(after), next) })
			first = next
		}
	}
	if c.stopped && c.fault != "accepted" {
		return errStopped
	}
	old := c.hands[id]
	if old != nil {
		if c.fault == "replaced" || c.fault == "replaced and refused" {
			delete(c.hands, id)
			defer func() { close(old.gone) }()
		} else {
			return errors.New("the id is in use")
		}
	}
	if old := c.removed[id]; old != nil {
		close(old.gone)
		delete(c.removed, id)
	}
	h := &hand{clock: c, id: id, s: s, first: first, added: time.Now(), gone: make(chan struct{})}
	c.hands[id], c.known[id] = h, true
	if c.emit != nil && !c.stopped {
		go h.run()
	}
	if old != nil && c.fault == "replaced and refused" {
		return errors.New("the id is in use")
	}
	return nil
}

type nextFunc func(after time.Time) time.Time

func (f nextFunc) Next(after time.Time) time.Time { return f(after) }

func maxTime(a, b time.Time) time.Time {
	if !a.IsZero() && a.Before(b) {
		return b
	}
	return a
}

func (c *clock) earliest() (first time.Time) {
	for _, h := range c.hands {
		if next := h.s.Next(time.Now()); first.IsZero() || next.Before(first) {
			first = next
		}
	}
	return first
}

func (c *clock) Remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hands[id]
	switch {
	case c.stopped && c.fault == "remove panics":
		panic("stopped")
	case h == nil && !c.stopped && c.fault == "panics":
		panic("unknown")
	case h == nil, c.emit == nil && c.fault == "before the start it does nothing":
		return
	}
	delete(c.hands, id)
	if c.fault == "goes on" && c.emit != nil && len(c.hands) < 5 {
		c.removed[id] = h
	} else {
		close(h.gone)
	}
}

func (c *clock) Start(emit func(planner.Tick)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		if c.fault == "starts all the same" {
			return nil
		}
		return errStopped
	}
	if c.emit != nil {
		if c.fault == "twice" {
			return nil
		}
		return errors.New("it was started before")
	}
	c.emit, c.began = emit, time.Now()
	for _, h := range c.hands {
		go h.run()
	}
	return nil
}

func (c *clock) Stop() {
	c.mu.Lock()
	inside := c.inside()
	switch {
	case c.fault == "panics before the start" && c.emit == nil, c.fault == "panics at the second" && c.stopped:
		c.mu.Unlock()
		panic("close of closed channel")
	case c.fault == "never returns" && inside:
		c.mu.Unlock()
		time.Sleep(hour)
		c.mu.Lock()
	case c.fault == "one more" && !inside, c.fault == "goes on after it" && inside:
		c.after = 1
	case c.fault == "one is left":
		go time.Sleep(hour)
	}
	if !c.stopped {
		c.stopped = true
		if c.after == 0 {
			close(c.stopping)
		}
	}
	var wait []chan struct{}
	for id, done := range c.running {
		if id != goroutineID() && c.fault != "does not" {
			wait = append(wait, done)
		}
	}
	c.mu.Unlock()
	for _, done := range wait {
		<-done
	}
}

// run is the goroutine of a schedule.
func (h *hand) run() {
	defer func() {
		if recover() != nil && h.fault == "ends all that panics" {
			h.end()
		}
	}()
	due := h.first
	for n := 0; ; n++ {
		if due.IsZero() {
			if h.fault == "zero is due" {
				h.call(due)
			}
			if h.fault == "ends all" {
				h.end()
			}
			return
		}
		if h.fault == "skips" && !due.After(time.Now()) {
			due = h.s.Next(time.Now())
		}
		delay := time.Until(due)
		switch {
		case h.fault == "sleeps no less than 2 ms" && delay > 0:
			delay = max(delay, 2*time.Millisecond)
		case h.fault == "a nanosecond more each time":
			delay += time.Duration(max(0, n-100))
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-h.gone:
			return
		case <-h.stopping:
			return
		}
		if !h.call(due) {
			return
		}
		from := due
		switch now := time.Now(); {
		case h.fault == "makes up at first" && due.Before(h.began):
		case h.fault == "makes up later":
			from = maxTime(due, h.added)
		default:
			from = maxTime(due, now)
		}
		due = h.s.Next(from)
	}
}

// end stops everything, unasked.
func (c *clock) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.stopped = true
		close(c.stopping)
	}
}

// call emits, and reports whether to go on.
func (h *hand) call(due time.Time) bool {
	id := goroutineID()
	h.mu.Lock()
	select {
	case <-h.gone:
		h.mu.Unlock()
		return false
	default:
	}
	if h.stopped {
		if h.after == 0 {
			h.mu.Unlock()
			return false
		}
		h.after--
	}
	h.at[due]++
	skip := h.fault == "two of three" && len(h.hands) == 3 && h.at[due] == 3
	done := make(chan struct{})
	tick := planner.Tick{ID: h.id, Due: due}
	if h.fault == "Due of the one before" && due.Sub(h.last) < 2*time.Millisecond {
		tick.Due = h.last
	}
	h.last = due
	emit := h.emit
	call := func(id string) {
		defer func() {
			h.mu.Lock()
			delete(h.running, id)
			close(done)
			h.mu.Unlock()
		}()
		emit(tick)
	}
	switch {
	case skip:
		h.mu.Unlock()
	case h.fault == "on goroutines":
		started := make(chan struct{})
		go func() {
			id := goroutineID()
			h.running[id] = done // the lock is held for it
			close(started)
			call(id)
		}()
		<-started
		h.mu.Unlock()
	default:
		h.running[id] = done
		h.mu.Unlock()
		call(id)
	}
	return true
}
