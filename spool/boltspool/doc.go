// Package boltspool is a spool in one file, a bbolt database.
//
//	spooled := boltspool.New("orders.spool", spool.JSON[Order](), nil)
//
// Start opens the file, which belongs to one process and one Spool at a time, and
// Shutdown closes it. Records are in it until they are removed, over as many starts
// as it takes. The file does not shrink, but room in it is used again.
//
// # Damage
//
// Every record has a checksum. One that is damaged is an [spool.Entry] with an Err;
// those around it can be read. A file that cannot be read as a whole is renamed, by
// ".damaged" and the time behind its name, and Start makes a new one: it never refuses
// since a file is damaged. Options.OnDamage is told of both.
package boltspool
