package planner

import (
	"context"
	"sync"

	"github.com/databay-go/databay/link"
)

// maxReports is how many Reports may wait for OnReport before transfers do.
const maxReports = 1000

// reporter calls OnReport, one call at a time. Whoever brings a Report while nobody
// is calling does, also with what others bring meanwhile: so nobody waits for a call
// that waits for him.
type reporter struct {
	call func(context.Context, link.Report)

	mu      sync.Mutex
	change  sync.Cond
	reports []delivery
	calling bool
	closing bool
}

// delivery is a Report on its way.
type delivery struct {
	ctx    context.Context
	e      *entry
	report link.Report
}

func (rs *reporter) init(call func(context.Context, link.Report)) {
	rs.call = call
	rs.change.L = &rs.mu
}

// add brings a Report. If it is to wait, it does so while too many others do.
func (rs *reporter) add(d delivery, wait bool) {
	rs.mu.Lock()
	for wait && rs.calling && len(rs.reports) >= maxReports && !rs.closing {
		rs.change.Wait()
	}
	rs.reports = append(rs.reports, d)
	if rs.calling {
		rs.mu.Unlock()
		return
	}
	rs.calling = true
	rs.mu.Unlock()
	rs.deliver()
}

// deliver calls OnReport until there is no Report. If it calls runtime.Goexit, the
// others are delivered while deferred functions run.
func (rs *reporter) deliver() {
	var current *delivery
	defer func() {
		if current != nil {
			cause := caught(recover())
			d := *current
			_ = d.e.Failed(d.ctx, d.e.link, &link.Error{
				Op: link.OpReport, Link: d.report.Link, Node: "OnReport", Number: d.report.Number, Err: cause,
			})
			rs.deliver()
		}
	}()
	for {
		rs.mu.Lock()
		if len(rs.reports) == 0 {
			rs.reports, rs.calling = nil, false
			rs.change.Broadcast()
			rs.mu.Unlock()
			return
		}
		d := rs.reports[0]
		rs.reports = rs.reports[1:]
		rs.change.Broadcast()
		rs.mu.Unlock()
		current = &d
		rs.call(d.ctx, d.report)
		current = nil
	}
}

// close waits until all Reports are delivered, or ctx ends.
func (rs *reporter) close(ctx context.Context) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closing = true
	rs.change.Broadcast()
	defer context.AfterFunc(ctx, func() {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		rs.change.Broadcast()
	})()
	for rs.calling && ctx.Err() == nil {
		rs.change.Wait()
	}
	return !rs.calling
}
