// Package boltstate keeps state in one file, a bbolt database: what a Put has
// written survives the process and the machine.
//
//	store, err := boltstate.Open("positions.db", nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer store.Close()
//	todos, err := link.New(link.Config{Name: "todos", State: store, …})
//
// One store serves all links of a process. The file belongs to one process at a
// time: another one that opens it gets an error after Options.LockTimeout.
//
// # Commits of many links
//
// A Put returns when its transaction is on the disk, which takes two waits for it.
// Puts that come while a transaction is being written share the next one. As long
// as more than eight keys are written a second, a transaction also waits for
// company, so that there are at most fifty a second, however many links there are;
// a Put then takes up to 20 ms more. It does not wait any longer when all keys that
// were written within the last second are there.
//
// # Failures
//
// On a full disk, or after another failure to write, those Puts fail that could not
// be written; the store goes on. Every value has a checksum: one that does not fit
// is an error of its key, while the others can be read. A file that is no such
// database, or a damaged one, is an error of Open.
package boltstate
