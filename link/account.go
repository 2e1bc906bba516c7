package link

import (
	"errors"
	"fmt"
	"strings"
)

// Account says what became of records. Every number only grows, but for those of
// what is held, failed or pending at the moment. It balances:
//
//	Pulled + Produced + Replayed = Filtered + Held + Failed + DeadLettered + Abandoned + Handed
//
// and so does each lane. Lost is exact, unless only some of the inlets are resumable and
// a call that was given up still has records: of those it counts all.
type Account struct {
	Pulled       int64 // returned by inlets
	Produced     int64 // added by processors
	Replayed     int64 // put back before a stage by Replay
	Filtered     int64 // taken out by processors
	Held         int64 // kept by processors
	Failed       int64 // waiting before a stage that failed
	Handed       int64 // handed over to every lane
	DeadLettered int64 // refused by a stage, and accepted by a dead-letter outlet
	Abandoned    int64 // given up by Shutdown
	Lost         int64 // of those abandoned: what no inlet will return again, at most

	Lanes []LaneAccount // one an outlet
}

// LaneAccount says what became of the records handed over to one lane:
//
//	Offered + Produced + Replayed + Restored =
//		Filtered + Held + Pending + Spooled + Delivered + DeadLettered + Dropped + Abandoned
type LaneAccount struct {
	Name         string
	Offered      int64 // handed over to the lane
	Produced     int64 // added by the lane's processors
	Replayed     int64 // put back by Replay
	Restored     int64 // found in the spool when the link was started
	Filtered     int64 // taken out by them
	Held         int64 // kept by them
	Pending      int64 // not accepted yet
	Spooled      int64 // in the spool of the lane
	Delivered    int64 // accepted by the outlet
	DeadLettered int64 // accepted by a dead-letter outlet
	Dropped      int64 // given up, for one of the next four reasons
	Removed      int64 // dropped because the outlet was removed
	Overflowed   int64 // dropped because the lane was full, see OnFull
	Refused      int64 // dropped because the outlet has refused them, see OnFail
	Damaged      int64 // dropped because they could not be read from the spool
	Abandoned    int64 // given up by Shutdown
	Lost         int64 // of those abandoned: what no inlet will return again, at most
}

// Balance returns an error that is [ErrUnbalanced] if the account does not
// balance.
func (a Account) Balance() error { return a.balance() }

func (a *Account) balance() error {
	balanced := a.excess() == 0
	for i := range a.Lanes {
		balanced = balanced && a.Lanes[i].excess() == 0
	}
	if balanced {
		return nil
	}
	var errs []error
	if a.excess() != 0 {
		errs = append(errs, fmt.Errorf("%w: pulled %d + produced %d + replayed %d ≠ filtered %d + held %d + failed %d + dead letters %d + abandoned %d + handed over %d",
			ErrUnbalanced, a.Pulled, a.Produced, a.Replayed, a.Filtered, a.Held, a.Failed, a.DeadLettered, a.Abandoned, a.Handed))
	}
	for i := range a.Lanes {
		if l := &a.Lanes[i]; l.excess() != 0 {
			errs = append(errs, fmt.Errorf("%w: lane %s: offered %d + produced %d + replayed %d + restored %d ≠ filtered %d + held %d + pending %d + spooled %d + delivered %d + dead letters %d + dropped %d + abandoned %d",
				ErrUnbalanced, l.Name, l.Offered, l.Produced, l.Replayed, l.Restored, l.Filtered, l.Held, l.Pending, l.Spooled, l.Delivered, l.DeadLettered, l.Dropped, l.Abandoned))
		}
	}
	return errors.Join(errs...)
}

// excess returns how many records more came than are accounted for.
func (a *Account) excess() int64 {
	return a.Pulled + a.Produced + a.Replayed - (a.Filtered + a.Held + a.Failed + a.DeadLettered + a.Abandoned + a.Handed)
}

// excess returns how many records more came than are accounted for.
func (l *LaneAccount) excess() int64 {
	return l.Offered + l.Produced + l.Replayed + l.Restored -
		(l.Filtered + l.Held + l.Pending + l.Spooled + l.Delivered + l.DeadLettered + l.Dropped + l.Abandoned)
}

// Add returns the sum of both accounts. Lanes are matched by their names.
func (a Account) Add(b Account) Account {
	a.add(&b)
	lanes := append([]LaneAccount(nil), a.Lanes...)
next:
	for _, l := range b.Lanes {
		for i := range lanes {
			if lanes[i].Name == l.Name {
				lanes[i].add(&l)
				continue next
			}
		}
		lanes = append(lanes, l)
	}
	a.Lanes = lanes
	return a
}

// add adds b, but for the lanes.
func (a *Account) add(b *Account) {
	a.Pulled += b.Pulled
	a.Produced += b.Produced
	a.Replayed += b.Replayed
	a.Filtered += b.Filtered
	a.Held += b.Held
	a.Failed += b.Failed
	a.Handed += b.Handed
	a.DeadLettered += b.DeadLettered
	a.Abandoned += b.Abandoned
	a.Lost += b.Lost
}

// since sets a to now less was, but for the lanes, and was to now.
func (a *Account) since(was, now *Account) {
	a.Pulled, was.Pulled = now.Pulled-was.Pulled, now.Pulled
	a.Produced, was.Produced = now.Produced-was.Produced, now.Produced
	a.Replayed, was.Replayed = now.Replayed-was.Replayed, now.Replayed
	a.Filtered, was.Filtered = now.Filtered-was.Filtered, now.Filtered
	a.Held, was.Held = now.Held-was.Held, now.Held
	a.Failed, was.Failed = now.Failed-was.Failed, now.Failed
	a.Handed, was.Handed = now.Handed-was.Handed, now.Handed
	a.DeadLettered, was.DeadLettered = now.DeadLettered-was.DeadLettered, now.DeadLettered
	a.Abandoned, was.Abandoned = now.Abandoned-was.Abandoned, now.Abandoned
	a.Lost, was.Lost = now.Lost-was.Lost, now.Lost
}

// add adds b.
func (l *LaneAccount) add(b *LaneAccount) {
	l.Offered += b.Offered
	l.Produced += b.Produced
	l.Replayed += b.Replayed
	l.Restored += b.Restored
	l.Filtered += b.Filtered
	l.Held += b.Held
	l.Pending += b.Pending
	l.Spooled += b.Spooled
	l.Delivered += b.Delivered
	l.DeadLettered += b.DeadLettered
	l.Dropped += b.Dropped
	l.Removed += b.Removed
	l.Overflowed += b.Overflowed
	l.Refused += b.Refused
	l.Damaged += b.Damaged
	l.Abandoned += b.Abandoned
	l.Lost += b.Lost
}

// since sets l to now less was, and was to now.
func (l *LaneAccount) since(was, now *LaneAccount) {
	l.Name = now.Name
	l.Offered, was.Offered = now.Offered-was.Offered, now.Offered
	l.Produced, was.Produced = now.Produced-was.Produced, now.Produced
	l.Replayed, was.Replayed = now.Replayed-was.Replayed, now.Replayed
	l.Restored, was.Restored = now.Restored-was.Restored, now.Restored
	l.Filtered, was.Filtered = now.Filtered-was.Filtered, now.Filtered
	l.Held, was.Held = now.Held-was.Held, now.Held
	l.Pending, was.Pending = now.Pending-was.Pending, now.Pending
	l.Spooled, was.Spooled = now.Spooled-was.Spooled, now.Spooled
	l.Delivered, was.Delivered = now.Delivered-was.Delivered, now.Delivered
	l.DeadLettered, was.DeadLettered = now.DeadLettered-was.DeadLettered, now.DeadLettered
	l.Dropped, was.Dropped = now.Dropped-was.Dropped, now.Dropped
	l.Removed, was.Removed = now.Removed-was.Removed, now.Removed
	l.Overflowed, was.Overflowed = now.Overflowed-was.Overflowed, now.Overflowed
	l.Refused, was.Refused = now.Refused-was.Refused, now.Refused
	l.Damaged, was.Damaged = now.Damaged-was.Damaged, now.Damaged
	l.Abandoned, was.Abandoned = now.Abandoned-was.Abandoned, now.Abandoned
	l.Lost, was.Lost = now.Lost-was.Lost, now.Lost
}

// is reports whether l is now less was.
func (l *LaneAccount) is(was, now *LaneAccount) bool {
	return l.Name == now.Name &&
		l.Offered == now.Offered-was.Offered &&
		l.Produced == now.Produced-was.Produced &&
		l.Replayed == now.Replayed-was.Replayed &&
		l.Restored == now.Restored-was.Restored &&
		l.Filtered == now.Filtered-was.Filtered &&
		l.Held == now.Held-was.Held &&
		l.Pending == now.Pending-was.Pending &&
		l.Spooled == now.Spooled-was.Spooled &&
		l.Delivered == now.Delivered-was.Delivered &&
		l.DeadLettered == now.DeadLettered-was.DeadLettered &&
		l.Dropped == now.Dropped-was.Dropped &&
		l.Removed == now.Removed-was.Removed &&
		l.Overflowed == now.Overflowed-was.Overflowed &&
		l.Refused == now.Refused-was.Refused &&
		l.Damaged == now.Damaged-was.Damaged &&
		l.Abandoned == now.Abandoned-was.Abandoned &&
		l.Lost == now.Lost-was.Lost
}

// String returns the account in one line: "pulled 9 filtered 4 held 0 pending 0
// delivered 5 dropped 0 balanced". Where lanes differ, each is named. Numbers of
// what is rare are left out if they are 0.
func (a Account) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pulled %d", a.Pulled)
	add := func(name string, always bool, of func(LaneAccount) int64) {
		lanes := a.Lanes
		if len(lanes) == 0 {
			lanes = make([]LaneAccount, 1)
		}
		first, same, zero := of(lanes[0]), true, true
		for _, l := range lanes {
			same = same && of(l) == first
			zero = zero && of(l) == 0
		}
		switch {
		case zero && !always:
		case same:
			fmt.Fprintf(&b, " %s %d", name, first)
		default:
			fmt.Fprintf(&b, " %s", name)
			for _, l := range lanes {
				fmt.Fprintf(&b, " %s=%d", l.Name, of(l))
			}
		}
	}
	add("produced", false, func(l LaneAccount) int64 { return a.Produced + l.Produced })
	add("replayed", false, func(l LaneAccount) int64 { return a.Replayed + l.Replayed })
	add("restored", false, func(l LaneAccount) int64 { return l.Restored })
	add("filtered", true, func(l LaneAccount) int64 { return a.Filtered + l.Filtered })
	add("failed", false, func(LaneAccount) int64 { return a.Failed })
	add("held", true, func(l LaneAccount) int64 { return a.Held + l.Held })
	add("pending", true, func(l LaneAccount) int64 { return l.Pending })
	add("spooled", false, func(l LaneAccount) int64 { return l.Spooled })
	add("delivered", true, func(l LaneAccount) int64 { return l.Delivered })
	add("dead letters", false, func(l LaneAccount) int64 { return a.DeadLettered + l.DeadLettered })
	add("dropped", true, func(l LaneAccount) int64 { return l.Dropped })
	add("abandoned", false, func(l LaneAccount) int64 { return a.Abandoned + l.Abandoned })
	add("lost", false, func(l LaneAccount) int64 { return a.Lost + l.Lost })
	if a.Balance() != nil {
		b.WriteString(" NOT BALANCED")
	} else {
		b.WriteString(" balanced")
	}
	return b.String()
}
