package link

import (
	"slices"

	"github.com/databay-go/databay/record"
)

// fifo is a queue of entries. It keeps its array for what comes next.
type fifo struct {
	entries []entry
	first   int
}

// keep is how many entries an empty fifo keeps room for.
const keep = 64

func (f *fifo) len() int { return len(f.entries) - f.first }

// head returns the first entry, to be changed in place, of a fifo that has one.
func (f *fifo) head() *entry { return &f.entries[f.first] }

func (f *fifo) push(e entry) { *f.grow() = e }

// grow appends a blank entry.
func (f *fifo) grow() *entry {
	if f.first > keep && f.first > len(f.entries)/2 {
		f.entries = slices.Delete(f.entries, 0, f.first)
		f.first = 0
	}
	n := len(f.entries)
	if n < cap(f.entries) {
		f.entries = f.entries[:n+1] // it was cleared when it was taken out
	} else {
		f.entries = append(f.entries, entry{})
	}
	return &f.entries[n]
}

// pushFront puts e before all others.
func (f *fifo) pushFront(e entry) {
	if f.first == 0 {
		f.entries = append(f.entries, entry{})
		copy(f.entries[1:], f.entries)
	} else {
		f.first--
	}
	f.entries[f.first] = e
}

func (f *fifo) pop() entry {
	e := f.entries[f.first]
	f.drop()
	return e
}

// drop takes the first entry out.
func (f *fifo) drop() {
	f.entries[f.first] = entry{}
	f.first++
	if f.first == len(f.entries) {
		f.first = 0
		f.entries = f.entries[:0]
		if cap(f.entries) > keep {
			f.entries = nil
		}
	}
}

// filled returns the place of the first entry with records that is not at the place but,
// or -1.
func (f *fifo) filled(but int) int {
	for i := f.first; i < len(f.entries); i++ {
		if i != but && len(f.entries[i].records) > 0 {
			return i
		}
	}
	return -1
}

// remove takes out the entry at a place. Few entries are before it.
func (f *fifo) remove(at int) {
	copy(f.entries[f.first+1:at+1], f.entries[f.first:at])
	f.drop()
}

// empty takes all entries out and appends their records to left.
func (f *fifo) empty(left []record.Record) []record.Record {
	for f.len() > 0 {
		left = append(left, f.pop().records...)
	}
	return left
}

// records counts the records in all entries.
func (f *fifo) records() (n int64) {
	for i := f.first; i < len(f.entries); i++ {
		n += int64(len(f.entries[i].records))
	}
	return n
}
