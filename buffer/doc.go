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
// What is held exists in memory only, so a link does not commit the position of
// an inlet past it: after a crash those records are pulled again. Released records
// wait in the lanes until the outlets have accepted them.
package buffer
