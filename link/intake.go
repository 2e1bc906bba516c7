package link

import (
	"time"

	"github.com/databay-go/databay/record"
)

// intake is what a lane with processors has before its queue. The methods of a nil
// intake say that nothing is there.
type intake struct {
	chain *chain // of whoever works the lane

	// Guarded by Link.mu.
	inbox   fifo
	inside  bool      // records are being processed
	last    *Transfer // that was handed over
	replays []replay  // that wait for a run
	state   chainState
	since   time.Time // when the oldest record in the chain began to wait
}

// chainState is what the last run of a chain left, for others to read.
type chainState struct {
	stuck bool
	wake  time.Time
}

func (c *chain) state() chainState { return chainState{c.stuck(), c.wake()} }

// waiting reports whether the processors have something to do. l.mu is held.
func (in *intake) waiting() bool {
	return in != nil && (in.inbox.len() > 0 || in.state.stuck || len(in.replays) > 0)
}

// settle notes the end of a run of the processors and returns what it has changed.
// l.mu is held.
func (in *intake) settle() delta {
	d := in.chain.delta
	in.chain.delta = delta{}
	in.inside = false
	if in.state = in.chain.state(); !in.state.stuck {
		in.since = time.Time{}
	}
	return d
}

// records counts the records that are not being processed. l.mu is held.
func (in *intake) records() int64 {
	n := in.inbox.records() + int64(len(in.replays))
	for _, s := range in.chain.stages {
		n += int64(len(s.stuck))
	}
	return n
}

// empty empties the chain. See [Link.empty].
func (in *intake) empty(l *Link, p *patience, hung *[]string) []record.Record {
	if in == nil {
		return nil
	}
	return l.empty(p, in.chain, hung)
}
