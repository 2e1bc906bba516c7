package planner

import (
	"context"
	"log/slog"

	"github.com/databay-go/databay/link"
)

// The names of log attributes.
const (
	attrLink    = "link"
	attrOp      = "op"
	attrNode    = "node"
	attrNodes   = "nodes"
	attrNumber  = "number"
	attrRecords = "records"
	attrWaiting = "waiting"
	attrError   = "err"
)

// logFailure logs a failure of a link.
func (p *Planner) logFailure(ctx context.Context, level slog.Level, msg string, err *link.Error) {
	p.log(ctx, level, msg,
		slog.String(attrLink, err.Link),
		slog.String(attrOp, string(err.Op)),
		slog.String(attrNode, err.Node),
		slog.Int64(attrNumber, err.Number),
		slog.Int(attrRecords, err.Records),
		slog.Any(attrError, err.Err),
	)
}

// log logs. A handler that panics does not matter.
func (p *Planner) log(ctx context.Context, level slog.Level, msg string, attrs ...slog.Attr) {
	_ = guard(func() { p.opts.Logger.LogAttrs(ctx, level, msg, attrs...) })
}
