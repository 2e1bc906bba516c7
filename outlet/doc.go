// Package outlet says what consumes records, and has the outlets and adapters
// that need nothing but the standard library. Outlets of a product have a
// package each below this one.
//
//	store := outlet.Of(func(ctx context.Context, quotes []Quote) error { … })
//
// # Writing an outlet
//
// An [Outlet] has one method. What else it can do it says by having further
// methods, which a link finds by type assertion:
//
//   - [Starter], [Shutdowner]: it opens and closes something.
//   - [Validator]: it knows mistakes in its own configuration.
//   - [Checker]: it says whether it reaches what it is there for.
//   - [fmt.Stringer]: it has a name, for logs, errors and lanes. A name is never
//     empty, stays the same, and shows no password.
//
// These are looked for through decorators too. Claims about data are not; a
// decorator makes its own or has none:
//
//   - [Reader]: it does not change payloads, so it gets no copies.
//   - [Atomic]: it writes the link's commit in the transaction of its records.
//
// Use [github.com/databay-go/databay/testkit.TestOutlet] to check an
// implementation.
package outlet
