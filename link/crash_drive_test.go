package link_test

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"
	"time"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// ending is how a term ends.
type ending int

const (
	killed ending = iota
	restarted
	replaced
	finished
)

// crashStop is a stop that is going on.
type crashStop struct {
	hurried bool
	report  link.Report
}

// run drives links until everything is delivered.
func (w *crashWorld) run() {
	w.draw()
	for w.failure == "" {
		if err := w.build(); err != nil {
			w.fail("link.New: %v", err)
			return
		}
		how := w.live(false)
		for how == restarted && w.failure == "" {
			how = w.live(true)
		}
		if how == finished {
			w.finish()
		}
		w.bury()
		if how == finished {
			return
		}
		w.nextKill()
	}
}

// live starts the link, perhaps again, and drives it until its term ends.
func (w *crashWorld) live(again bool) ending {
	w.begin(again)
	w.trace("term %d begins, kill at step %d", w.term, w.killAt)
	if !w.start() {
		return killed
	}
	for naps := 0; ; {
		w.look()
		switch {
		case w.failure != "" || w.proc.dead:
			return killed
		case w.calm && w.quiet():
			if w.drained() {
				if !w.halt(false) {
					return killed
				}
				return finished
			}
			if w.drain++; w.drain > 150 {
				w.expect(false, "150 transfers without a failure do not deliver everything: %v", w.link.Account())
				return killed
			}
			w.sleep(10 * time.Second)
			w.transfer(false)
		case w.calm && len(w.waiting) == 0: // a lane pauses
			if naps++; naps > 1000 {
				w.expect(false, "nothing goes on: %v", w.link.Account())
				return killed
			}
			w.sleep(time.Second)
		case w.calm:
			w.grant()
		case w.quiet() && w.ticks == 0:
			w.calm = true
			w.trace("all is calm")
		case w.stops > 0 && chance(w.rng, 2):
			w.stops--
			if !w.halt(chance(w.rng, 50)) {
				return killed
			}
			if chance(w.rng, 60) && w.release() {
				return restarted
			}
			return replaced
		default:
			w.act()
		}
	}
}

// act does one thing at random.
func (w *crashWorld) act() {
	r := w.rng
	n := r.IntN(100)
	switch {
	case len(w.waiting) > 0 && n < 68:
		w.grant()
	case n < 76:
		w.grow(r)
	case n < 82:
		w.sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
	case w.ticks > 0 && w.tasks < 3 && (w.link.Ready() || chance(r, 25)):
		w.ticks--
		w.transfer(true)
	}
}

// look waits until nothing moves any more, and looks at the link.
func (w *crashWorld) look() {
	synctest.Wait()
	if err := w.link.Account().Balance(); err != nil {
		w.fail("%v", err)
	}
	if !w.proc.dead && w.stop == nil && w.quiet() {
		w.rest()
	}
}

// sleep lets time pass, in which a lane may end its pause and call a node.
func (w *crashWorld) sleep(d time.Duration) {
	w.mu.Lock()
	//lint:ignore SA2001 the lock is what is needed: the sleep comes after what was read until now
	w.mu.Unlock() //nolint:staticcheck // as above
	time.Sleep(d)
}

// quiet reports whether nothing is going on.
func (w *crashWorld) quiet() bool {
	pauses := func(s link.LaneStats) bool { return s.Working }
	return len(w.waiting) == 0 && w.tasks == 0 && !slices.ContainsFunc(w.link.LaneStats(), pauses)
}

// transfer begins a transfer.
func (w *crashWorld) transfer(random bool) {
	tick := link.Tick{Reason: record.Forced}
	if random {
		tick.Reason = record.Reason(w.rng.IntN(4))
		if chance(w.rng, 40) {
			tick.Due = time.Now().Add(-time.Duration(w.rng.IntN(3000)) * time.Millisecond)
		}
		if wake := w.link.Wake(); !wake.IsZero() && !wake.After(time.Now()) && chance(w.rng, 70) {
			tick = link.Tick{Due: wake, Reason: record.Flush}
		}
	}
	w.stats.transfers++
	l, p := w.link, w.proc
	w.trace("a %v transfer for %v", tick.Reason, tick.Due)
	w.spawn(func() {
		r, err := l.Transfer(context.Background(), tick)
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.dead {
			return
		}
		w.trace("transfer %d has ended: %v %v, %v", r.Number, r.Outcome, err, r.Account)
		switch {
		case errors.Is(err, link.ErrStopped), w.stop != nil && w.stop.hurried: // it may be given up
		case err != nil:
			w.fail("Transfer returns what a handler has settled: %v", err)
		case r.Outcome == link.Running:
			w.fail("Transfer returns a report of a transfer that is running: %+v", r)
		}
	})
}

// start starts the link, again if it fails. It reports whether it runs.
func (w *crashWorld) start() bool {
	for tries := 1; ; tries++ {
		var err error
		l := w.link
		done := w.spawn(func() { err = l.Start(context.Background()) })
		for w.look(); !done(); w.look() {
			if len(w.waiting) == 0 {
				w.expect(false, "Start hangs: %v", l.Busy())
				return false
			}
			w.grant()
		}
		switch {
		case w.failure != "" || w.proc.dead:
			return false
		case err == nil:
			return true
		case !errors.Is(err, errPlanned) && err.Error() == "" || tries > 100:
			w.expect(false, "Start: %v", err)
			return false
		}
		w.trace("start fails: %v", err)
	}
}

// halt stops the link. It reports whether it lived on until it was stopped.
func (w *crashWorld) halt(hurried bool) bool {
	w.trace("stop, hurried: %v", hurried)
	w.stats.stops++
	ctx := context.Background()
	if hurried {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Second)
		defer cancel()
	}
	s := &crashStop{hurried: hurried}
	w.mu.Lock()
	w.stop = s
	w.mu.Unlock()
	l := w.link
	done := w.spawn(func() { s.report, _ = l.Shutdown(ctx) })
	for waited := 0; ; {
		w.look()
		switch {
		case w.failure != "" || w.proc.dead:
			return false
		case done():
			return w.halted(s)
		case hurried && chance(w.rng, 20):
			w.sleep(700 * time.Millisecond)
		case len(w.waiting) > 0:
			w.grant()
		default:
			if waited++; waited > 100 {
				w.expect(false, "Shutdown hangs: %v", l.Busy())
				return false
			}
			w.sleep(time.Second)
		}
	}
}

// release lets calls end that the stopped link has left behind. It reports whether
// the process lives on.
func (w *crashWorld) release() bool {
	for !w.quiet() {
		if len(w.waiting) == 0 {
			w.expect(false, "%d calls of the link have not returned after its Shutdown", w.tasks)
			return false
		}
		w.grant()
		if w.look(); w.proc.dead || w.failure != "" {
			return false
		}
	}
	return true
}

// bury ends what is left of a process. All that the link has begun has to end.
func (w *crashWorld) bury() {
	w.mu.Lock()
	w.proc.dead = true
	w.refuse()
	w.mu.Unlock()
	synctest.Wait()
	if w.tasks > 0 {
		w.sleep(2 * time.Minute)
		synctest.Wait()
	}
	w.expect(w.tasks == 0, "%d calls of the link do not return after the process was killed: %v", w.tasks, w.link.Busy())
	if err := w.link.Account().Balance(); err != nil {
		w.expect(false, "after a kill: %v", err)
	}
	w.stop = nil
}
