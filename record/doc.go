// Package record is the vocabulary of Databay: the records that move, the
// metadata they carry, the update that names a transfer, the processors and
// groupers that records pass on their way, and the errors that say which of
// them failed.
//
// A [Record] is a value: a payload of any type, immutable [Metadata] and, where
// its source has one, an ID. Typed functions stand at the edges of an untyped
// core:
//
//	positive := record.Filter(func(v float64) bool { return v > 0 })
//	labels := record.Map(func(v float64) (string, error) { return strconv.FormatFloat(v, 'f', 1, 64), nil })
//
// # Ownership
//
// Whoever returns records gives them away: the slice, and the payloads in it. A
// [Processor] or [Grouper] treats what it is given as read-only: the slice is
// not changed and a payload is never changed in place, since the same records
// may be given to it again and other outlets see them too. It returns changed
// records, made with [Record.With].
//
// # Failures
//
// A processor or an outlet that fails for some of its records only answers
// with a [Partial], which [Failures] builds. [Permanent] marks a cause that no
// repetition mends, [RetryAfter] one that asks for a pause.
package record
