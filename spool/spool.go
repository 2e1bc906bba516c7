// Package spool is where records overflow to that have to wait and that memory is not
// meant for: a durable queue. What is appended counts as kept, also over a crash.
//
// Records have payloads of any type, so a spool is given a [Codec] that says how
// they become bytes; [JSON] is one. A record that it does not know fails alone, when
// it is appended, and not in the night after a crash.
package spool

import (
	"context"
	"errors"
	"time"

	"github.com/databay-go/databay/record"
)

// ErrFull is the error of an Append for which there is no room.
var ErrFull = errors.New("spool: it is full")

// Spool is a durable queue of records, oldest first. It is safe for concurrent use.
// It has one user, which removes what it has read: given to two, each would miss what
// the other one takes.
type Spool interface {
	// Append adds records behind those that are there. When it returns, they
	// survive the process and the machine. It answers as an outlet does: after nil
	// all are appended; after a [*record.Partial] all but those that it names,
	// which are those that cannot be, ever: their causes are permanent. After any
	// other error none is; ErrFull is one of them (errors.Is). The records are not
	// kept or changed.
	Append(ctx context.Context, records []record.Record) error

	// Read returns at most n entries whose Seq is greater than after, oldest
	// first, and removes none. An entry that cannot be read is one with an Err; it
	// is no error of Read.
	Read(ctx context.Context, after int64, n int) ([]Entry, error)

	// Remove removes entries for good. Those that are not there are no error. After
	// an error all or none are removed.
	Remove(ctx context.Context, seqs []int64) error

	// Stats says how much there is.
	Stats() Stats
}

// Entry is a record in a spool.
type Entry struct {
	// Seq is the place in the queue, greater than 0 and than that of every entry
	// before, removed or not. It stays the same.
	Seq int64

	// At is when the record was appended.
	At time.Time

	// Record is the record. If Err is set its payload is what was found, as a
	// []byte, and it has nothing else.
	Record record.Record

	// Err says why the record cannot be read: it is damaged, or its codec does not
	// know it any more. No repetition mends that: who reads it reports and removes
	// it.
	Err error
}

// Stats says how much is in a spool.
type Stats struct {
	Records int   // that were appended and not removed, those that cannot be read included
	Bytes   int64 // which they take, as the limit counts them
	Limit   int64 // of Bytes, 0 for none
}

// Fitter is a Spool that can say beforehand what Append would answer to a record.
type Fitter interface {
	Spool

	// Fits returns the cause for which Append would refuse r for good, or nil.
	Fits(r record.Record) error
}

// User is a node that has a Spool. A link starts the spool before the node and shuts it
// down after it. Nothing else may use the spool.
type User interface {
	// Spool returns the spool, the same at every call, or nil if there is none.
	Spool() Spool
}

// Codec makes bytes of records and records of bytes. It is safe for concurrent use.
type Codec interface {
	// Encode returns the bytes of a record. An error means that this record cannot
	// be encoded.
	Encode(r record.Record) ([]byte, error)

	// Decode returns an equal record: payload, metadata, ID and inlet. It may not
	// keep data. An error means that data is not of this codec.
	Decode(data []byte) (record.Record, error)
}
