package record

import (
	"fmt"
	"reflect"
)

// Record is one thing that moves from an inlet to outlets. It is a value: copy
// it freely, change it with the With methods. The zero Record has no payload,
// no metadata, no ID and no inlet.
type Record struct {
	// Payload is what the record is about, of any type.
	Payload any

	// Metadata describes the payload.
	Metadata Metadata

	id     string
	origin *Origin
}

// Origin is where records come from. All records of one inlet share one.
type Origin struct {
	// Inlet is the name of the inlet.
	Inlet string

	// Spooled says that the record was read from a spool, which has it until it is
	// delivered. If it is given up before, it is not lost.
	Spooled bool
}

// New returns a record of payload with the given attributes as its metadata.
// Of attributes with equal keys the last one counts.
func New(payload any, attrs ...Attr) Record {
	return Record{Payload: payload, Metadata: NewMetadata(attrs...)}
}

// With returns the record with another payload. Metadata, ID and inlet stay.
func (r Record) With(payload any) Record {
	r.Payload = payload
	return r
}

// WithMetadata returns the record with attrs added to its metadata, where they
// win over attributes of the same key. Payload, ID and inlet stay.
func (r Record) WithMetadata(attrs ...Attr) Record {
	r.Metadata = r.Metadata.With(attrs...)
	return r
}

// WithID returns the record with an ID. An ID is given by the source of the
// record and names it for good: pulled again after a crash, the record bears
// the same one. Examples are topic/partition/offset, a file name and an offset,
// a primary key and a cursor value.
func (r Record) WithID(id string) Record {
	r.id = id
	return r
}

// ID returns the ID given by the record's source, or "" if it gave none.
func (r Record) ID() string { return r.id }

// Inlet returns the name of the inlet that the record came from, or "" for a
// record that no link has seen.
func (r Record) Inlet() string {
	if r.origin == nil {
		return ""
	}
	return r.origin.Inlet
}

// Origin returns what [Stamp] noted, or nil.
func (r Record) Origin() *Origin { return r.origin }

// Stamp notes in every record that it comes from o. Links call it on what their
// inlets return; it changes the records in place.
func Stamp(records []Record, o *Origin) {
	for i := range records {
		records[i].origin = o
	}
}

// String returns the payload and, if there is any, the metadata.
func (r Record) String() string {
	if r.Metadata.Len() == 0 {
		return fmt.Sprint(r.Payload)
	}
	return fmt.Sprint(r.Payload) + " " + r.Metadata.String()
}

// As returns the payload of r as a T. A payload of another type is an error
// that names both types and is permanent. A nil payload is a T if T is an
// interface.
func As[T any](r Record) (T, error) {
	v, ok := to[T](r.Payload)
	if !ok {
		return v, Permanent(fmt.Errorf("payload is a %T, want %s", r.Payload, typeName[T]()))
	}
	return v, nil
}

// to returns v as a T. Nil is one if T is an interface.
func to[T any](v any) (t T, ok bool) {
	if t, ok = v.(T); ok {
		return t, true
	}
	return t, v == nil && reflect.TypeFor[T]().Kind() == reflect.Interface
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }
