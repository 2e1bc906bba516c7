package link

import (
	"errors"
	"time"

	"github.com/databay-go/databay/record"
)

// DeadLetter is a record that a link has given up, and why. It goes to a dead-letter
// outlet, see [Lane.DeadLetter], as the payload of a record that has the ID and the
// metadata of the one that was given up. Encoded it is one JSON object in one line,
// which String returns and every outlet of JSON or text writes:
//
//	version    1; a later form that readers of this one cannot read has another
//	time       when it was given up, RFC 3339
//	link       name of the link
//	lane       name of the lane; absent if a stage of the link has failed
//	stage      what has failed: "push", "process" or "group"
//	node       name of the outlet, the processor or the groupers
//	reasons    what the error says, then what each error that it wraps says
//	attempts   how many times the node was given the record; 0 if its lane was full
//	number     number of the transfer
//	due        its Due, RFC 3339
//	reason     why it was made: "scheduled", "immediate", "forced" or "flush"
//	inlet      name of the inlet that the record comes from; may be absent
//	id         ID of the record; absent if it has none
//	idBase64   instead of id, if that is not UTF-8
//	type       Go type of the payload, as fmt prints it with %T
//	encoding   how payload is to be read: "json"; "base64" for bytes, and for a
//	           string that is not UTF-8; or "text" for what has no JSON, which
//	           cannot be restored
//	payload    the payload
//	metadata   an object of the attributes in their order; those whose value has no
//	           JSON are texts, and a string that is not UTF-8 is an object with the
//	           one member "base64"; absent if there are none
//
// Absent fields are empty ones. Readers ignore fields that they do not know. Of text
// inside a payload of JSON only what is UTF-8 is kept.
type DeadLetter struct {
	Time     time.Time
	Link     string
	Lane     string // "" for a stage of the link
	Stage    Op     // OpPush, OpProcess or OpGroup
	Node     string
	Reasons  []string
	Attempts int

	// Of the transfer: see [record.Update].
	Number int64
	Due    time.Time
	Reason record.Reason

	// Record is the record as the node was given it. One that was decoded bears
	// the name of its inlet still.
	Record record.Record
}

// reasons returns what err says, then what each error says that it wraps, the first
// of several. What is said already is left out.
func reasons(err error) (all []string) {
	for err != nil {
		if s := err.Error(); len(all) == 0 || all[len(all)-1] != s {
			all = append(all, s)
		}
		next := errors.Unwrap(err)
		if next == nil {
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					if next = e; next != nil {
						break
					}
				}
			}
		}
		err = next
	}
	return all
}

// letter returns d as a record for a dead-letter outlet.
func (d DeadLetter) letter() record.Record { return d.Record.With(d) }

// Clone returns a copy that has nothing in common with d but the record: the payload is
// copied by whoever needs that.
func (d DeadLetter) Clone() any {
	d.Reasons = append([]string(nil), d.Reasons...)
	return d
}

// String returns the encoded letter.
func (d DeadLetter) String() string {
	line, err := d.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(line)
}
