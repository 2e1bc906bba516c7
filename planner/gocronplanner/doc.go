// Package gocronplanner makes a [planner.Planner] whose schedules are triggered by
// gocron, for programs that have gocron's options, monitors or loggers in use.
//
//	p, err := gocronplanner.New(&gocronplanner.Options{
//		Gocron: []gocron.SchedulerOption{gocron.WithSchedulerMonitor(monitor)},
//	}, orders, prices)
//
// gocron says when, and nothing else: every link has one job that runs once, at the
// link's next instant, and is then made anew for the one after it. Overlap, late
// instants, the bound on concurrent transfers, errors and the stop are the
// planner's, as with any other trigger. A job takes microseconds, since the transfer
// runs elsewhere: what gocron says about durations, failures and concurrency is
// about the job.
//
// Options that keep jobs from running, as locks, electors and limits do, make
// instants late. Where no such thing is needed, the planner's own ticker does the
// same for a fraction of the cost. An instant of the wall clock for which gocron has
// set its timer is not moved when the clock is set forward.
package gocronplanner
