package link_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/databay-go/databay/link"
)

var (
	errCrashed = errors.New("the process was killed")
	errPlanned = errors.New("planned failure")
)

// crashWorld is all there is outside of a link: sources, sinks and the store, which
// survive, and the order in which things happen. It belongs to the goroutine that
// runs it, and to the one call of a node that it lets take a step.
type crashWorld struct {
	seed uint64
	rng  *rand.Rand
	name string // of the link

	mu       sync.Mutex
	waiting  []*crashCall
	failure  string
	failedAt int
	log      strings.Builder
	stats    crashStats

	steps  int
	killAt int // the step; 0: never
	kills  int // left
	stops  int // left
	ticks  int // left, before all becomes calm
	drain  int // transfers since
	calm   bool

	pipeline *crashPipeline
	inlets   []*crashInlet
	lanes    []*crashLane
	store    *crashStore
	atomic   bool // an outlet writes commits

	// Of the process, the link and the time from its start to its end.
	proc    *crashProcess
	link    *link.Link
	tasks   int // calls of the link that have not returned
	term    int
	clean   map[int]bool // terms that have ended without giving up anything
	stop    *crashStop
	pulled  int64        // records, in the life of the link
	reports link.Account // their sum, in the life of the link
	number  int64        // of the next report
	due     time.Time    // of the last pull
	doubt   bool         // a commit has failed, or may have, and none succeeded since
}

// crashProcess is what a kill ends: the link and the nodes it was built of.
type crashProcess struct {
	w    *crashWorld
	dead bool
}

// crashCall is a call of a node that waits for its step.
type crashCall struct {
	key     string
	verdict chan crashVerdict
}

// crashVerdict says how a step goes.
type crashVerdict struct {
	seed    uint64 // of everything random in it
	refused bool   // the process is dead
	last    bool   // the process dies in it: there may be an effect, but no answer
}

func newCrashWorld(seed uint64) *crashWorld {
	w := &crashWorld{seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), name: "crash", clean: make(map[int]bool)}
	w.stats.pipelines = 1
	return w
}

func (w *crashWorld) String() string {
	if w.pipeline == nil {
		return "no pipeline"
	}
	return w.pipeline.String()
}

// chance reports true in percent of all cases.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// trace notes what happens. w.mu need not be held by whoever has the step.
func (w *crashWorld) trace(format string, args ...any) {
	if *crashTrace {
		fmt.Fprintf(&w.log, "%4d %s: %s\n", w.steps, time.Now().Format("05.000"), fmt.Sprintf(format, args...))
	}
}

// fail notes the first thing that is wrong. w.mu is held.
func (w *crashWorld) fail(format string, args ...any) {
	if w.failure != "" {
		return
	}
	w.failure, w.failedAt = fmt.Sprintf(format, args...), w.steps
	w.trace("FAILED: %s", w.failure)
}

// expect is fail for who does not hold w.mu.
func (w *crashWorld) expect(ok bool, format string, args ...any) {
	if ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(format, args...)
}

// step waits for the step of the named call and returns with w.mu held, for the
// effect: the caller unlocks it. r decides what is random. last says that the
// process dies in this step. With an error there is no effect, and w.mu is not held.
func (p *crashProcess) step(ctx context.Context, key string) (r *rand.Rand, last bool, err error) {
	w := p.w
	c := &crashCall{key, make(chan crashVerdict, 1)}
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		return nil, false, errCrashed
	}
	if slices.ContainsFunc(w.waiting, func(o *crashCall) bool { return o.key == key }) {
		w.fail("%s is called while another call of it is running", key)
	}
	w.waiting = append(w.waiting, c)
	w.mu.Unlock()

	ended := ctx.Done()
	if w.pipeline.stubborn {
		ended = nil
	}
	var v crashVerdict
	select {
	case v = <-c.verdict:
	case <-ended:
		w.mu.Lock()
		if i := slices.Index(w.waiting, c); i >= 0 {
			w.waiting = slices.Delete(w.waiting, i, i+1)
			w.mu.Unlock()
			return nil, false, ctx.Err()
		}
		w.mu.Unlock()
		v = <-c.verdict
	}
	if v.refused {
		return nil, false, errCrashed
	}
	w.mu.Lock()
	return rand.New(rand.NewPCG(v.seed, 1)), v.last, nil
}

// grant lets one of the waiting calls take its step, or kills the process there.
func (w *crashWorld) grant() {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.waiting, func(a, b *crashCall) int { return cmp.Compare(a.key, b.key) })
	i := w.rng.IntN(len(w.waiting))
	c := w.waiting[i]
	w.waiting = slices.Delete(w.waiting, i, i+1)
	w.steps++
	w.stats.steps++
	v := crashVerdict{seed: w.rng.Uint64()}
	if w.steps == w.killAt {
		w.kills--
		w.stats.kills++
		v.last = chance(w.rng, 65)
		v.refused = !v.last
		w.proc.dead = true
		w.refuse()
		w.trace("KILL in %s, with an effect: %v", c.key, v.last)
	} else {
		w.trace("step of %s", c.key)
	}
	c.verdict <- v
}

// refuse ends all waiting calls of a dead process. w.mu is held.
func (w *crashWorld) refuse() {
	for _, c := range w.waiting {
		c.verdict <- crashVerdict{refused: true}
	}
	w.waiting = nil
}

// spawn calls f, which calls the link, in a goroutine of its own.
func (w *crashWorld) spawn(f func()) (done func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks++
	ended := false
	go func() {
		defer func() { // also if a node ends the goroutine
			w.mu.Lock()
			defer w.mu.Unlock()
			w.tasks--
			ended = true
		}()
		f()
	}()
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return ended
	}
}

// how says how a call that does something for a link ends.
type how int

const (
	succeeds how = iota
	fails
	panics
	exits // by runtime.Goexit
)

// outcome draws how a call ends that fails in percent of all cases. w.mu is held.
func (w *crashWorld) outcome(r *rand.Rand, percent int) how {
	if w.calm || !chance(r, percent) {
		return succeeds
	}
	switch n := r.IntN(10); {
	case n < 7:
		return fails
	case n < 9:
		return panics
	}
	w.doubt = true // a commit that is due is made with the next transfer
	return exits
}

// end ends a call that does not succeed. w.mu is held, by who defers its unlocking.
func (h how) end() error {
	switch h {
	case panics:
		panic(errPlanned)
	case exits:
		runtime.Goexit()
	}
	return errPlanned
}
