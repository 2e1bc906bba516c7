// Package testkit tests what is written for Databay, and helps to test what is
// written with it: conformance suites for the interfaces that users implement,
// and doubles to build links from.
//
//	func TestConforms(t *testing.T) {
//		testkit.TestInlet(t, func(t *testing.T) inlet.Inlet { return newTail(t) }, nil)
//	}
//
// # Suites
//
// [TestInlet], [TestOutlet], [TestProcessor], [TestTrigger], [TestStore] and
// [TestSpool] hold an implementation to the contract of its interface. Every rule is
// a subtest of its own, with a fresh instance from the function given; a failure says
// what happened, and the rule in words. A rule that does not apply, or cannot be
// checked with what was given, is a skipped subtest that says why: run
// go test -v to see them. Run suites with -race, too.
//
// A rule that an implementation breaks on purpose goes into the Skip of the
// suite's options, with the reason.
//
// # Doubles
//
// [Sink] is an outlet that keeps what it gets. [Values] is an inlet that yields
// batches, [Rows] a resumable one on a table that grows.
//
// [FaultyInlet], [FaultyOutlet], [FaultyProcessor] and [FaultyStore] decorate a
// node, or stand for one that does nothing, and go wrong as told by a [Fault]
// before or after each call: [Fail], [Panic], [Exit], [Block], [Hang], [Slow] or
// [Reject], always, at first ([Flaky]) or now and then ([Every]).
//
//	down := &testkit.FaultyOutlet{Outlet: sink, OnPush: testkit.Flaky(3, testkit.Fail(io.ErrClosedPipe))}
//
// All doubles are safe for concurrent use, work in [testing/synctest] bubbles
// and start no goroutines. Set their fields before they are used.
package testkit
