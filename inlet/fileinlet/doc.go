// Package fileinlet pulls from a file, which it follows as it grows and rotates.
//
//	app := fileinlet.New("/var/log/app.log", nil)
//	orders := fileinlet.New("orders.jsonl", &fileinlet.Options{Decode: fileinlet.JSON[Order]})
//	prices := fileinlet.New("prices.csv", &fileinlet.Options{CSV: &fileinlet.CSV{}})
//
// Every line that has been finished since the last pull is a record. Its payload is
// the line without its end, a string, or what [Options].Decode makes of it; of a CSV
// file every row is one. With Options.Whole the file as a whole is one record, at
// every pull. Records have the metadata [Path], [Offset] and [Line] and an ID.
//
// # Growth and rotation
//
// A last line without an end waits until it is finished. Between pulls the file may
//
//   - be renamed, another one taking its place: the rest of the old one is read
//     first, as soon as the new one has content, since its writer writes to the old
//     one until then. A program whose several writers change over one by one loses
//     what they write to the old file after that;
//   - be copied and truncated: the rest is read from the copy;
//   - be truncated and written again, or removed and made again. What of the old
//     content was not read before it was truncated is lost, what was removed while
//     the inlet was started is not;
//   - rotate several times: files that came in between are read too.
//
// An unfinished last line of a file that has come to its end is a record like any
// other. While there is no file in its place the inlet waits for one.
//
// Old files are looked for in the folder of the file, after a restart also. Those
// in between are known by a number or a date added to the name (app.log.1,
// app.log-20240131, app-2024-01-31.log), and taken in the order in which they
// were last written; of those written at the same time, in that of their names.
// Compressed ones are not read: let the newest ones stay as they are until they
// have been read (logrotate: delaycompress).
//
// No reader sees everything, whatever is done to a file. What a program writes
// between the copying and the truncation is lost by who copies; a file that is
// removed while the inlet is not started, before it was read, is lost; and one that
// is truncated, and written again up to where it has been read with the same 1 KiB
// before that, looks like one that was not. A rotated file that was written in the
// last two seconds, and with whose content the file of the path begins, may be a copy
// that is not finished: the inlet waits until it is known.
//
// # Positions
//
// The inlet is resumable: a link gives it back the position up to which its records
// were delivered. A position says which file, and how far. The file is known by its
// inode number and by digests of its first 1 KiB and of the 1 KiB before the
// position, so that neither a number used again nor a truncation is taken for the
// file. If it is gone, the inlet begins with the files that are newer: what
// followed the position is lost, and Options.OnLost is told.
//
// IDs are made of the path, a digest of the file's first record, the number of files
// before it, and the offset of the line with a checksum. They are the same when a line
// is pulled again.
//
// # Bad lines
//
// A line that is longer than MaxLine or cannot be decoded, or a CSV row with
// too many or too few fields, is a [LineError]. By default the inlet stays before
// it: the pull returns the records before it together with the error, later pulls
// return the error only, and nothing is passed over. Options.OnBad decides
// otherwise: it puts a record in its place, passes over it, or fails.
//
// # Encodings and compression
//
// Text is taken as UTF-8 and not checked; a byte order mark is cut off. With
// Options.Encoding it is converted. A file whose name ends in .gz, or any with
// Options.Gzip, is decompressed; offsets are those of the content. At the end of a
// compressed file an unfinished last line is a record.
//
// # Use
//
// An inlet belongs to one link. Its methods may be called concurrently, and wait
// for one another.
package fileinlet
