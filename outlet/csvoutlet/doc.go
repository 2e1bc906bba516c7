// Package csvoutlet appends records to CSV files.
//
//	csvoutlet.New("quotes.csv", nil)
//
// # Payloads
//
// A record is a row. Its payload is one of
//
//   - a map with string keys: the keys are the columns;
//   - a struct or a pointer to one: its exported fields are, named by a tag
//     `csv:"name"` or else by the field; `csv:"-"` leaves one out. The fields of an
//     embedded struct count as fields of the outer one, unless the inner one is a
//     text of its own or has a tag;
//   - a []string: the values of [Options].Columns, in their order.
//
// Anything else fails for good, alone. Strings are written as they are, numbers
// without an exponent unless they are very large or very small, a [time.Time] as RFC
// 3339 with nanoseconds, nil as an empty field, an [encoding.TextMarshaler] or a
// [fmt.Stringer] as its text, a []byte as text, and everything else as JSON.
//
// # Columns
//
// The columns of a file are those in its header or, as long as the file is empty,
// Options.Columns or, without them, those of the first record: fields in their
// order, keys sorted. A record without one of the columns has an empty field there;
// what becomes of a record with others is up to Options.OtherColumns. Rows are
// written in the order of the header that is there.
//
// # Files
//
// A record with the metadata [File] goes to that file, all others to the outlet's;
// one with [Truncate] may have it emptied first, once after a start. Paths are used
// as they are: do not make them of text that is not trusted. Folders are made as
// needed. A file is made when its first record comes, gets a header if it is empty,
// and is kept open between pushes. If its last line is unfinished, after a crash for
// instance, that is ended first. A file that was removed, replaced or emptied
// meanwhile is begun anew.
//
// # Delivery
//
// Push returns when the operating system has the rows: they survive the end of the
// process, and with [SyncPush] that of the machine. Of each file either all rows of a push are
// written or, as far as the operating system lets it be undone, none; what failed is
// named by a [record.Partial]. A row that is offered again after a crash is written
// again.
//
// A file belongs to one outlet at a time. Links may share an outlet.
package csvoutlet
