package main

import "fmt"

// checker follows what survives from run to run.
type checker struct {
	until     int64 // the last row there is
	last      snapshot
	delivered []bool         // whether row i+1 is committed, says the last snapshot: it is in the target or a spool
	lost      map[int64]bool // rows that were not in the target, and were to be
	outside   int            // how often a row was written that was not to be
}

func newChecker() *checker {
	return &checker{last: snapshot{rows: map[int64]int{}}, lost: map[int64]bool{}}
}

// open returns how many rows are not committed, or still in a spool.
func (c *checker) open() (n int64) {
	for _, done := range c.delivered {
		if !done {
			n++
		}
	}
	return n + int64(len(c.last.spooled))
}

// grow says that there are rows up to until.
func (c *checker) grow(until int64) {
	c.until = until
	c.delivered = append(c.delivered, make([]bool, int(until)-len(c.delivered))...)
}

// add takes what is there after a run. An error is what no kill and no fault excuses
// and none of the counts tells: the store went back, there are rows that nobody wrote,
// or a run has left more than one part of a row.
func (c *checker) add(now snapshot, acknowledged int64) error {
	if now.revision < max(c.last.revision, acknowledged) {
		return fmt.Errorf("the store has revision %d, after it had %d and acknowledged %d", now.revision, c.last.revision, acknowledged)
	}
	if now.torn > c.last.torn+1 {
		return fmt.Errorf("there are %d parts of rows, before the run there were %d", now.torn, c.last.torn)
	}
	for n := range now.rows {
		if n < 1 || n > c.until {
			return fmt.Errorf("there is a row %d, and the last one to be moved is %d", n, c.until)
		}
	}
	for i, before := range c.delivered {
		n := int64(i + 1)
		done := now.committed(n)
		if before && !done {
			return fmt.Errorf("the store says that row %d is not delivered, and said before that it is", n)
		}
		if done && now.rows[n]+now.spooled[n] == 0 {
			c.lost[n] = true
		}
		limit := c.last.rows[n] + c.last.spooled[n] // how often the row may be there
		if !before {
			limit++
		}
		c.outside += max(0, now.rows[n]-limit)
		c.delivered[i] = done
	}
	c.last = now
	return nil
}

// finish says that all rows are to be in the target.
func (c *checker) finish() {
	for n := int64(1); n <= c.until; n++ {
		if c.last.rows[n] == 0 {
			c.lost[n] = true
		}
	}
}

// twice returns how many rows are more than once in the target.
func (c *checker) twice() (n int) {
	for _, count := range c.last.rows {
		n += count - 1
	}
	return n
}
