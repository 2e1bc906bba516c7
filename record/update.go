package record

import (
	"strconv"
	"strings"
	"time"
)

// Update identifies one transfer of one link. Nodes get it with every call; they
// may read its slices and pointers, not change them.
type Update struct {
	// Link is the name of the link.
	Link string

	// Tags are the tags of the link.
	Tags []string

	// Number counts the transfers of the link from 0. Every transfer uses one
	// up, failed or not. It goes on after a restart where the link's state
	// does; numbers that were not committed before a crash are used again.
	Number int64

	// Due is the instant the transfer is made for: the scheduled one, or when
	// an immediate or forced transfer began. The dues of a link never go back.
	Due time.Time

	// From is the Due of the last successful pull of the inlet that is called,
	// so that [From, Due) is the window of this pull. It is zero before the
	// first. After a start it is that of the last committed pull. Outlets get
	// the zero time.
	From time.Time

	// Reason says why the transfer is made.
	Reason Reason

	// Attempt counts the offers of these records to this outlet from 1. It is 0
	// for inlets.
	Attempt int32

	// Commit is what the link will write to its store when the outlet accepts
	// these records. It is set for outlets that can write it themselves, in the
	// same transaction as the records; see package outlet. It is nil in all
	// other cases.
	Commit *Commit
}

// Commit is one compare-and-swap of a store: Key becomes Value if its revision
// is still Revision.
type Commit struct {
	Key      string
	Value    []byte
	Revision int64 // 0 if the key is absent
}

// String returns the tags and the number, separated by dots: "tag.tag.16".
func (u Update) String() string {
	n := strconv.FormatInt(u.Number, 10)
	if len(u.Tags) == 0 {
		return n
	}
	return strings.Join(u.Tags, ".") + "." + n
}

// Reason says why a transfer is made.
type Reason uint8

const (
	Scheduled Reason = iota // an instant of the schedule has come
	Immediate               // the first transfer after the start
	Forced                  // somebody asked for it
	Flush                   // held records are to leave; nothing is pulled
)

// String returns "scheduled", "immediate", "forced" or "flush".
func (r Reason) String() string {
	switch r {
	case Scheduled:
		return "scheduled"
	case Immediate:
		return "immediate"
	case Forced:
		return "forced"
	case Flush:
		return "flush"
	}
	return "Reason(" + strconv.Itoa(int(r)) + ")"
}
