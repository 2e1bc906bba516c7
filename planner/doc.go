// Package planner runs links on their schedules.
//
//	err := planner.Run(ctx, orders, prices)
//
// Run starts the links, transfers until ctx ends or something fails for good, and
// stops them. [New] with [Planner.Start] and [Planner.Shutdown] is the same in
// pieces. Links are added, removed, paused and forced at any time.
//
// # Time
//
// A [Trigger] says when an instant of a schedule has come; everything else is the
// planner's. Instants do not drift, and the Dues of a link never go back. Every
// instant has exactly one outcome, and the [Ledger] counts them: nothing is dropped in
// silence.
//
// When the wall clock is set, or the machine was suspended, an interval keeps its pace,
// and its Dues are what the clock says.
//
// An instant that comes while the link's last transfer is not handed over, or no lane
// is idle, is skipped. With [link.Config.Overlap] it waits instead, and may cut the
// transfer off. A forced transfer lets one of those that wait go ahead, and then covers
// what has come by its own beginning.
//
// A planner that wakes late, or had no place for a transfer, runs one, for the last
// instant that has passed; the others are missed. With [link.Config.Misfire] it runs
// more of them, in order, or none that is too late. So it is with instants that wait
// for a transfer: those that give way to later ones are skipped.
//
// When a processor that holds records wants them released, the planner makes a
// transfer that pulls nothing. It waits for one that is running, and is no overlap.
//
// # Concurrency
//
// At most [Options.Concurrency] transfers of all links run at the same time, in
// goroutines that are kept. The others wait in the order in which they came. A call
// that hangs keeps its place.
//
// # Errors
//
// [Options.OnError] decides whether to go on. Without it, a planner goes on after a
// failure whose records are offered again, and logs it; anything else stops it, and
// Run returns it. Panics of nodes, schedules and callbacks are errors too.
//
// # Stopping
//
// Shutdown stops the schedules, lets transfers end, releases what is held, offers
// what is pending, commits, and shuts the nodes down. Meanwhile nodes keep a live
// context, until [Options.ShutdownTimeout] ends; calls that hang even then are left
// behind and named.
package planner
