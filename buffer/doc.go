// Package buffer holds records back until a number of them, their size, their age
// or a rule of your own releases them.
//
//	b := buffer.New(&buffer.Options{Count: 1000, MaxAge: time.Minute})
//
// A [Buffer] is a [record.Processor]: put it among the processors of a link or of
// a lane. It belongs to one place of one link.
//
// # When records are released
//
// Every call of Process first adds what it is given to what is held, then decides
// about all of it: either everything leaves, in the order of arrival and the
// records just given included, or everything stays. The rules that are set are
// asked in this order: Controllers, Count, MaxBytes, MaxAge. One yes is enough,
// and the rules after it are not asked. With All, every rule must say yes, and
// those after the first no are not asked. Without any rule a buffer lets
// everything pass.
//
// [Buffer.Flush] makes the next call release everything without asking a rule.
// Links flush what is held when they stop.
//
// A buffer has no goroutine and no timer. It says in its Holding when its age is
// reached, and a planner then makes a transfer that pulls nothing.
//
// # Delivery
//
// What is held in memory is not durable, so a link does not commit the position of
// an inlet past it: after a crash those records are pulled again. Released records
// wait in the lanes until the outlets have accepted them.
//
// # Overflow
//
// With Options.Spool what is held may be more than the memory is meant for. When as many
// records are held as Options.Pending allows, and they are not released, all of them are
// moved to the spool. There they survive the process: a link commits past them, and no
// inlet is needed to return them again, as with one that has no position.
//
// A release reads back everything, and takes as much memory. It stays in the spool until
// the link says that it is delivered, or done with in another way ([Buffer.Settled]). What
// is there when the buffer is started was not delivered, as far as is known: the next
// Process releases it, before everything else and whatever the rules say, and links count
// it as produced. So after a crash or a stop that gave
// records up, and only then, some come twice: those that were delivered and not removed,
// and those that were moved to the spool and not committed.
//
// A record that the spool cannot take, ever, as its codec does not know the type of the
// payload, fails alone and for good when it is given, if the spool is a [spool.Fitter],
// or else when it is moved there. If a spool is none and refuses one that was held in
// memory before, that one is released at once. When the spool is full, or gives no
// answer, Process fails and takes nothing; the link keeps the records, pulls nothing, and
// gives them to it again. What is damaged in the spool is left out when it is read
// (Options.OnDamage).
//
// In an optional lane, whose records get lost in a crash, what is released is removed at
// once.
package buffer
