package link

import (
	"log/slog"
	"time"
)

// LogValue returns what the report says as a group: link, number, due, reason, outcome,
// took, err if there is one, and the attributes of the account.
func (r Report) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("link", r.Link),
		slog.Int64("number", r.Number),
		slog.Time("due", r.Due),
		slog.String("reason", r.Reason.String()),
		slog.String("outcome", r.Outcome.String()),
		slog.Duration("took", r.Took),
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	return slog.GroupValue(append(attrs, r.Account.attrs()...)...)
}

// LogValue returns the counters that are not 0 as a group, with one for every lane,
// "lane.NAME". "again" is how many of what is abandoned inlets will return again.
func (a Account) LogValue() slog.Value { return slog.GroupValue(a.attrs()...) }

func (a *Account) attrs() []slog.Attr {
	attrs := counters(nil, []count{
		{"pulled", a.Pulled}, {"produced", a.Produced}, {"replayed", a.Replayed}, {"filtered", a.Filtered},
		{"held", a.Held}, {"failed", a.Failed}, {"deadLettered", a.DeadLettered}, {"handed", a.Handed},
		{"abandoned", a.Abandoned}, {"again", a.Again()}, {"lost", a.Lost},
	})
	for i := range a.Lanes {
		attrs = append(attrs, slog.Any("lane."+a.Lanes[i].Name, a.Lanes[i]))
	}
	return attrs
}

// LogValue returns the counters that are not 0 as a group.
func (l LaneAccount) LogValue() slog.Value {
	return slog.GroupValue(counters(nil, []count{
		{"offered", l.Offered}, {"produced", l.Produced}, {"replayed", l.Replayed}, {"restored", l.Restored}, {"filtered", l.Filtered},
		{"held", l.Held}, {"pending", l.Pending}, {"spooled", l.Spooled}, {"delivered", l.Delivered}, {"deadLettered", l.DeadLettered},
		{"dropped", l.Dropped}, {"removed", l.Removed}, {"overflowed", l.Overflowed}, {"refused", l.Refused}, {"damaged", l.Damaged},
		{"abandoned", l.Abandoned}, {"again", l.Again()}, {"lost", l.Lost},
	})...)
}

// LogValue returns the counters as those of a [LaneAccount], and age, parked and
// working where they say something.
func (s LaneStats) LogValue() slog.Value {
	attrs := s.LaneAccount.LogValue().Group()
	if !s.Oldest.IsZero() {
		attrs = append(attrs, slog.Duration("age", time.Since(s.Oldest).Round(time.Millisecond)))
	}
	if s.Parked {
		attrs = append(attrs, slog.Bool("parked", true))
	}
	if s.Working {
		attrs = append(attrs, slog.Bool("working", true))
	}
	return slog.GroupValue(attrs...)
}

// LogValue returns link, op, node, number, the counters of records that are not 0, and
// err as a group.
func (e *Error) LogValue() slog.Value {
	attrs := counters([]slog.Attr{
		slog.String("link", e.Link), slog.String("op", string(e.Op)), slog.String("node", e.Node), slog.Int64("number", e.Number),
	}, []count{{"records", int64(e.Records)}, {"deadLettered", int64(e.DeadLettered)}, {"dropped", int64(e.Dropped)}})
	return slog.GroupValue(append(attrs, slog.String("err", e.Err.Error()))...)
}

type count struct {
	name string
	n    int64
}

// counters appends those counts that are not 0.
func counters(attrs []slog.Attr, counts []count) []slog.Attr {
	for _, c := range counts {
		if c.n != 0 {
			attrs = append(attrs, slog.Int64(c.name, c.n))
		}
	}
	return attrs
}

// Again returns how many of the abandoned records inlets will return again.
func (a Account) Again() int64 { return a.Abandoned - a.Lost }

// Again returns how many of the abandoned records inlets will return again.
func (l LaneAccount) Again() int64 { return l.Abandoned - l.Lost }
