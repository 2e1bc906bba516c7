// Package link pairs inlets with outlets and moves records from one to the other,
// one transfer at a time.
//
//	todos, err := link.New(link.Config{
//		Name:     "todos",
//		Inlets:   []inlet.Inlet{source},
//		Outlets:  []outlet.Outlet{store},
//		Schedule: schedule.Every(time.Minute),
//	})
//	…
//	report, err := todos.Once(ctx)
//
// A planner runs a link on its schedule; [Link.Once] makes one transfer. [Overlap] and
// [Misfire] say what a planner does with an instant that comes during a transfer, or
// when it is late.
//
// # One transfer
//
// All inlets are pulled side by side. What they return is joined in their order and
// run through the processors, then through the groupers, which cut it into batches.
// Every batch is handed over to every outlet's lane. A lane offers its batches to
// its outlet one after another, in order. When all lanes are done with them the
// transfer is settled and what it read is committed. Nothing is pushed if there is
// nothing.
//
// # Failures
//
// What fails is not lost and nothing passes it:
//
//   - What an outlet refuses stays at the head of its lane and is offered again
//     before anything behind it: after pauses, as [Retry] says, and then once a
//     transfer.
//   - What it refuses for good ([record.Permanent]), or what [GiveUp] says, becomes
//     a dead letter, if there is an outlet for these: [Lane.DeadLetter]. Once the
//     cause is mended, [Link.Replay] puts it back.
//   - What a processor or the groupers refuse becomes a dead letter too
//     ([Config.DeadLetter]), or else stays before them and is given to them again;
//     meanwhile nothing is pulled.
//   - An inlet that fails keeps its position and its window. The records of the
//     others are delivered, and so are those it returned with the error.
//   - A panic, or a call of runtime.Goexit, is a failure like any other, a
//     [*PanicError].
//
// Outlets do not wait for one another: a transfer goes ahead if one required lane is
// idle, and its records wait in the lanes that are not. When a lane has [Lane.Pending]
// records, its [OnFull] decides; by default the link pulls nothing until it has fewer,
// and such transfers are [Blocked]. A lane may be [Lane.Optional]: then it stops
// nothing.
//
// Config.OnError decides whether to go on. It does not change what becomes of
// records.
//
// # Delivery
//
// An inlet with a position is resumed where delivery ended, not where reading did.
// The link keeps two positions of each: every pull goes on from the one that was
// read, and only what all required lanes are done with is committed to the store.
// Held, failed and pending records hold the commit back, but for those that are safe in
// a spool. So after a crash nothing is
// missing, and only what was not committed is delivered again. Commits are
// compare-and-swaps: when a second process runs the same link, the first one to
// notice stops with [ErrFenced].
//
// Every record is accounted for, see [Account]. Reports say how the account
// changes, that of Shutdown also what was given up: what inlets will return again and
// what is lost.
//
// [Link.Check] says beforehand whether all nodes can be reached, [Link.DryRun] what
// would be delivered.
//
// # Isolation
//
// No outlet sees what another one does to its records, see [Isolation]. Processors
// must not change payloads in place.
//
// # Lifecycle
//
// Outlets are started first and shut down last. Nodes are called with a context
// that lives from Start until Shutdown gives up, whatever becomes of the one given
// to Start; [FromContext] finds the link in it. A link calls no node concurrently
// with itself.
package link
