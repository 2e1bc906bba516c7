package planner

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/databay-go/databay/link"
)

// pool runs transfers in a bounded number of goroutines, which are started when they
// are needed and kept. Entries wait for them in the order in which they came. All
// fields are guarded by Planner.mu.
type pool struct {
	p       *Planner
	limit   int // of goroutines
	maxIdle int // of those that have nothing to do

	first, last *entry // the queue
	waiting     int    // its length
	running     []run

	work    sync.Cond // idle goroutines wait for it
	workers int
	idle    int
	waking  bool // a goroutine is about to look at the queue
	closing bool
	ended   sync.Cond // a goroutine or a transfer has ended, while closing

	warned bool // about hanging calls, since the queue was empty
}

// run is a transfer that is running.
type run struct {
	e       *entry
	overdue time.Time // when the next instant of its schedule comes; zero: never
}

func (pl *pool) init(p *Planner, limit int) {
	pl.p, pl.limit, pl.maxIdle = p, limit, limit
	if limit == math.MaxInt {
		pl.maxIdle = defaultConcurrency
	}
	pl.work.L, pl.ended.L = &p.mu, &p.mu
}

// enqueue appends e, which is not in the queue.
func (pl *pool) enqueue(e *entry) {
	if pl.last == nil {
		pl.first = e
	} else {
		pl.last.after = e
	}
	pl.last = e
	e.queued = true
	pl.waiting++
	pl.hire()
}

// dequeue takes the first entry out of the queue, or returns nil.
func (pl *pool) dequeue() *entry {
	e := pl.first
	if e == nil {
		pl.warned = false
		return nil
	}
	if pl.first = e.after; pl.first == nil {
		pl.last = nil
	}
	e.after, e.queued = nil, false
	pl.waiting--
	return e
}

// hire sees to it that a goroutine comes for the queue. One is enough: it hires the
// next one when it takes something and leaves something.
func (pl *pool) hire() {
	switch {
	case pl.waking || pl.waiting == 0:
	case pl.idle > 0:
		pl.waking = true
		pl.work.Signal()
	case pl.workers < pl.limit:
		pl.waking = true
		pl.workers++
		go pl.serve()
	}
}

// serve is a goroutine of the pool. If user code calls runtime.Goexit in it, it is
// replaced.
func (pl *pool) serve() {
	mu := &pl.p.mu
	mu.Lock()
	defer func() { // p.mu is held, in any case
		pl.workers--
		pl.hire()
		pl.ended.Broadcast()
		mu.Unlock()
	}()
	for {
		pl.waking = false
		if e, tick := pl.next(); e != nil {
			pl.hire()
			mu.Unlock()
			pl.p.run(e, tick)
			continue
		}
		if pl.closing || pl.idle >= pl.maxIdle {
			return
		}
		pl.idle++
		pl.work.Wait()
		pl.idle--
	}
}

// next returns the transfer to make next, or nil.
func (pl *pool) next() (*entry, link.Tick) {
	for e := pl.dequeue(); e != nil; e = pl.dequeue() {
		if tick, ok := e.pick(); ok {
			tick.Next = e.next
			e.busy.Store(true)
			e.slot, e.reason = len(pl.running), tick.Reason
			pl.running = append(pl.running, run{e, e.next})
			return e, tick
		}
	}
	return nil, link.Tick{}
}

// vacate gives back the place of e.
func (pl *pool) vacate(e *entry) {
	last := len(pl.running) - 1
	pl.running[e.slot] = pl.running[last]
	pl.running[e.slot].e.slot = e.slot
	pl.running[last] = run{}
	pl.running = pl.running[:last]
	e.slot = -1
	pl.ended.Broadcast()
}

// drain waits until no transfer of certain entries, which have been shut down, is
// running, or ctx ends. It does not wait for calls that were left behind.
func (pl *pool) drain(ctx context.Context, certain func(*entry) bool) {
	defer context.AfterFunc(ctx, func() {
		pl.p.mu.Lock()
		defer pl.p.mu.Unlock()
		pl.ended.Broadcast()
	})()
	about := func() bool { // whether something is about to end
		hung, found := 0, false
		for _, r := range pl.running {
			e := r.e
			if len(e.link.Busy()) > 0 {
				hung++
			} else {
				found = found || certain(e)
			}
		}
		return found || pl.closing && pl.workers > hung
	}
	for ctx.Err() == nil && about() {
		pl.ended.Wait()
	}
}

// close lets the goroutines end. What is in the queue has been dropped.
func (pl *pool) close() {
	pl.closing = true
	for pl.dequeue() != nil {
	}
	pl.work.Broadcast()
}

// check warns, once, if there are links that wait and nothing but calls that do not
// come to an end.
func (pl *pool) check() {
	if pl.warned || pl.waiting == 0 || len(pl.running) < pl.limit {
		return
	}
	now := time.Now()
	for _, r := range pl.running {
		if r.overdue.IsZero() || r.overdue.After(now) {
			return
		}
	}
	pl.warned = true
	waiting := pl.waiting
	links := make([]*link.Link, len(pl.running))
	for i, r := range pl.running {
		links[i] = r.e.link
	}
	pl.p.tasks.spawn(func() {
		var nodes []string
		for _, l := range links {
			for _, node := range l.Busy() {
				nodes = append(nodes, l.Name()+": "+node)
			}
		}
		pl.p.log(context.Background(), slog.LevelWarn, "links wait because every running transfer is past its next instant",
			slog.Int(attrWaiting, waiting), slog.Any(attrNodes, nodes))
	})
}
