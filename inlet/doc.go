// Package inlet says what produces records, and has the inlets and adapters that
// need nothing but the standard library. Inlets of a product have a package each
// below this one.
//
//	quotes := inlet.Of(func(ctx context.Context) ([]Quote, error) { … })
//
// # Writing an inlet
//
// An [Inlet] has one method. What else it can do it says by having further
// methods, which a link finds by type assertion, also through decorators:
//
//   - [Starter], [Shutdowner]: it opens and closes something.
//   - [Validator]: it knows mistakes in its own configuration.
//   - [Checker]: it says whether it reaches what it is there for.
//   - [fmt.Stringer]: it has a name, for logs, errors and stored positions. A name
//     is never empty, stays the same, and shows no password.
//   - [Positioner] with [Seeker]: it goes on after a restart where delivery
//     ended. It needs a name, unique in its link, and belongs to one link.
//   - [Positioner] with [Committer]: a broker keeps the position.
//   - [PositionTyper]: it says what its positions are.
//
// [Since] makes a resumable inlet of a function. Use
// [github.com/databay-go/databay/testkit.TestInlet] to check an implementation.
package inlet
