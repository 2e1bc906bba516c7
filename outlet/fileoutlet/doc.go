// Package fileoutlet appends records to text files, a line a record.
//
//	fileoutlet.New("events.log", nil)
//	fileoutlet.New("events.jsonl", &fileoutlet.Options{Encode: fileoutlet.JSON})
//
// # Lines
//
// A line is what [Options].Encode makes of a record, with a line end: by default its
// payload as text, without metadata. Line ends inside of a text stay as they are, so
// that such a record has several lines; [JSON] has none inside. A record that cannot
// be encoded fails for good, alone.
//
// # Files
//
// A record with the metadata [File] goes to that file, all others to the outlet's;
// [Truncate] and [Encoding] say more about the file of a record. Paths are used as
// they are: do not make them of text that is not trusted. Folders are made as needed.
// A file is made when its first record comes and is kept open between pushes. If its
// last line is unfinished, after a crash for instance, that is ended first. A file
// that was removed, replaced or emptied meanwhile is begun anew.
//
// There are three ways to write:
//
//   - append, the default; with Options.Truncate what was there before the start is
//     removed first, once, when the first record comes;
//   - rotate, with Options.Rotate: when the file is large or old enough it is renamed
//     and a new one is begun, see [Rotate];
//   - replace, with Options.Replace: each push makes the file anew, of its own records
//     only. They are written to a temporary file in the same folder, .name.tmp, which
//     is then renamed, so that who reads sees the old file or the new one and never a
//     part. Let a push have everything that the file is to have: use no groupers, and
//     processors such as a buffer to collect. There is no mode that collects until
//     the shutdown and renames then, for what it had accepted would be lost if the
//     process died before.
//
// # Delivery
//
// Push returns when the operating system has the lines: they survive the end of the
// process, and with [SyncPush] that of the machine. Of each file either all lines of a
// push are written or, as far as the operating system lets it be undone, none; where
// a push is spread over several files by a rotation, that holds for each of them, and
// what did not come to be written is at the end. What failed is named by a
// [record.Partial]. A line that is offered again after a crash is written again,
// unless the outlet is idempotent.
//
// # Idempotence
//
// With Options.Idempotent a record is written once, however often it is offered, also
// when the process was killed in between: records are known by their IDs. Each line
// has the ID of its record: before the text and a tab, or, with Options.IDOf, where
// Encode puts it, as [JSONWithID] does. When a file is opened, its last lines and
// those of the files it was renamed to are read back, as many as Options.Window. The
// file alone is what counts, there is nothing beside it.
//
// An unfinished last line is cut off, whoever wrote it: its record was not accepted and
// is offered again. A record without ID, with a text of several lines, or with an ID
// that is not found again in its line, fails for good. What was removed of the file, by
// Rotate.Keep too, or stands before the window, is not known any more.
//
// A file belongs to one outlet at a time. Links may share an outlet.
package fileoutlet
