package link_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

func TestLogValues(t *testing.T) {
	t.Parallel()
	account := link.Account{Pulled: 5, Handed: 5, Lanes: []link.LaneAccount{{Name: "out", Offered: 5, Delivered: 2, Abandoned: 3, Lost: 1}}}
	tests := map[string]struct {
		value any
		want  string
	}{
		"report": {
			link.Report{Link: "l", Number: 7, Due: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Reason: record.Forced, Took: time.Second, Outcome: link.Failed, Err: errors.New("503"), Account: account},
			"v.link=l v.number=7 v.due=2026-03-01T12:00:00.000Z v.reason=forced v.outcome=failed v.took=1s v.err=503 v.pulled=5 v.handed=5 v.lane.out.offered=5 v.lane.out.delivered=2 v.lane.out.abandoned=3 v.lane.out.again=2 v.lane.out.lost=1",
		},
		"account": {account, "v.pulled=5 v.handed=5 v.lane.out.offered=5 v.lane.out.delivered=2 v.lane.out.abandoned=3 v.lane.out.again=2 v.lane.out.lost=1"},
		"lane":    {link.LaneAccount{Name: "out", Offered: 3, Dropped: 3, Overflowed: 2, Refused: 1}, "v.offered=3 v.dropped=3 v.overflowed=2 v.refused=1"},
		"stats":   {link.LaneStats{LaneAccount: link.LaneAccount{Pending: 1}, Parked: true, Working: true}, "v.pending=1 v.parked=true v.working=true"},
		"error": {
			&link.Error{Op: link.OpPush, Link: "l", Node: "out", Number: 3, Records: 4, DeadLettered: 1, Err: errDown},
			"v.link=l v.op=push v.node=out v.number=3 v.records=4 v.deadLettered=1 v.err=503",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			h := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if len(groups) == 0 && a.Key != "v" {
					return slog.Attr{}
				}
				return a
			}})
			slog.New(h).Info("", "v", tt.value)
			assert.Equal(t, tt.want+"\n", b.String())
		})
	}
}
