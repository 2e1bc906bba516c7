package link

import "time"

// LaneStats says how a lane is doing.
type LaneStats struct {
	LaneAccount

	// Working says that the lane is calling a node, or pauses between two tries.
	Working bool

	// Parked says that what the lane offered last was refused: until the outlet
	// accepts something, it is offered once a transfer.
	Parked bool

	// Oldest is when the transfer began that brought the oldest pending record,
	// or zero if nothing is pending.
	Oldest time.Time

	// Transfers is how many transfers wait in the lane, see [Config.MaxUncommitted].
	Transfers int
}

// Age returns how long the oldest pending record has been waiting at now.
func (s LaneStats) Age(now time.Time) time.Duration {
	if s.Oldest.IsZero() {
		return 0
	}
	return now.Sub(s.Oldest)
}

// LaneStats returns how the lanes are doing, in their order.
func (l *Link) LaneStats() []LaneStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]LaneStats, 0, len(l.lanes))
	for _, ln := range l.lanes {
		all = append(all, LaneStats{
			LaneAccount: ln.account, Working: ln.working, Parked: ln.trouble != nil && ln.trouble.parked, Oldest: ln.eldest(), Transfers: int(ln.ends),
		})
	}
	return all
}

// eldest returns when the transfer of the oldest pending record began. l.mu is held.
func (ln *lane) eldest() (first time.Time) {
	if ln.account.Pending == 0 {
		return time.Time{}
	}
	fifos := []*fifo{&ln.queue}
	if ln.in != nil {
		first = ln.in.since
		fifos = append(fifos, &ln.in.inbox)
	}
	for _, f := range fifos {
		if at := f.filled(-1); at >= 0 {
			first = earlier(first, f.entries[at].transfer.began)
		}
	}
	return first
}
