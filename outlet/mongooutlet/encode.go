package mongooutlet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/record"
)

// maxDocument is how many bytes a document may have, on every server.
const maxDocument = 16 << 20

// generatedID is how many bytes an _id has that the driver adds.
const generatedID = 17

// document is one to be written.
type document struct {
	record int    // its index in the push
	item   int    // its index in the list that the payload is, or -1
	filter bson.D // which document it replaces; nil: none, it is inserted
	raw    bson.Raw
}

// encoder makes documents of payloads.
type encoder struct {
	opts *Options
	tags *bson.Registry
	text *bytes.Buffer // what bson writes to, with all that was written
	bson *bson.Encoder // nil: to be made, as after a failure, which leaves half a document
}

// reset ends the use of all documents that e has made.
func (e *encoder) reset() {
	if e.text != nil && e.text.Cap() > maxDocument {
		e.bson = nil // more than is worth keeping
	}
	if e.bson == nil {
		e.text = nil
		return
	}
	e.text.Reset()
}

// documents appends those of the record at index i to docs. There is none if its
// payload is an empty list. If it cannot be encoded, docs come back as they were.
func (e *encoder) documents(docs []document, i int, r record.Record) (all []document, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.bson = nil
			err = fmt.Errorf("encoding the record panicked: %v", p)
		}
		if err != nil {
			all = docs
		}
	}()
	if e.opts.UseID && r.ID() == "" {
		return nil, errors.New("the record has no ID, which UseID needs; want an inlet that gives its records IDs")
	}
	if !isList(r.Payload) {
		d, err := e.document(r.Payload, r.ID())
		d.record, d.item = i, -1
		return append(docs, d), err
	}
	list := reflect.ValueOf(r.Payload)
	if e.opts.UseID {
		return nil, fmt.Errorf("payload is a list of %d documents, want a single one with UseID, for the record has one ID", list.Len())
	}
	all = docs
	for item := range list.Len() {
		d, err := e.document(list.Index(item).Interface(), "")
		if err != nil {
			return nil, fmt.Errorf("document %d of the list: %w", item, err)
		}
		d.record, d.item = i, item
		all = append(all, d)
	}
	return all, nil
}

// isList reports whether a payload is a list of documents.
func isList(payload any) bool {
	switch payload.(type) {
	case nil, bson.D, bson.Raw, []byte, json.RawMessage, bson.Marshaler, bson.ValueMarshaler:
		return false
	}
	t := reflect.TypeOf(payload)
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem() != reflect.TypeFor[bson.E]()
}

// document returns that of a payload, which is not changed, and of an ID.
func (e *encoder) document(payload any, id string) (document, error) {
	raw, err := e.encode(payload)
	if err != nil {
		return document{}, err
	}
	var d document
	if e.opts.UseID {
		d.raw, err = withID(raw, id)
		d.filter = bson.D{{Key: "_id", Value: id}}
	} else {
		d.raw = raw
		d.filter, err = e.filter(raw)
	}
	if err != nil {
		return document{}, err
	}
	if d.filter != nil && !e.opts.Merge && isOperator(d.raw) {
		return document{}, errors.New("payload begins with a field whose name begins with $, want none in a document that replaces another")
	}
	size := len(d.raw)
	if d.filter == nil && size > maxDocument-generatedID && d.raw.Lookup("_id").IsZero() {
		size += generatedID
	}
	if size > maxDocument {
		return document{}, fmt.Errorf("the document has %d bytes, want at most %d", size, maxDocument)
	}
	return d, nil
}

// encode returns a payload as BSON, which nobody changes.
func (e *encoder) encode(payload any) (bson.Raw, error) {
	switch p := payload.(type) {
	case nil:
		return nil, errors.New("payload is nil, want a document")
	case []byte:
		return fromJSON(p)
	case json.RawMessage:
		return fromJSON(p)
	case bson.Raw:
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("payload is a bson.Raw that is no document: %w", err)
		}
		if n := binary.LittleEndian.Uint32(p); int(n) != len(p) {
			return nil, fmt.Errorf("payload is a bson.Raw of %d bytes that is no document, for it says %d", len(p), n)
		}
		return p, nil
	}
	if e.bson == nil {
		e.text = new(bytes.Buffer)
		e.bson = bson.NewEncoder(bson.NewDocumentWriter(e.text))
		e.bson.SetRegistry(e.tags)
		e.bson.UseJSONStructTags()
	}
	begin := e.text.Len()
	if m, ok := payload.(map[string]any); ok {
		if doc, ok := appendPlain(e.text.AvailableBuffer(), m); ok {
			e.text.Write(doc)
			return e.text.Bytes()[begin:], nil
		}
	}
	if err := e.bson.Encode(payload); err != nil {
		e.bson = nil
		return nil, fmt.Errorf("payload is a %T, want a document, a map or a struct for instance: %w", payload, err)
	}
	return e.text.Bytes()[begin:], nil
}

// fromJSON returns a JSON object as BSON.
func fromJSON(text []byte) (bson.Raw, error) {
	if !json.Valid(text) || !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return nil, fmt.Errorf("payload is %.100q, want bytes that are a JSON object", text)
	}
	var d bson.D
	if err := bson.UnmarshalExtJSON(text, false, &d); err != nil {
		return nil, fmt.Errorf("payload is %.100q, want extended JSON: %w", text, err)
	}
	return bson.Marshal(d)
}

// withID returns a document with an _id.
func withID(raw bson.Raw, id string) (bson.Raw, error) {
	if !utf8.ValidString(id) {
		return nil, fmt.Errorf("the ID of the record is %.100q, want UTF-8", id)
	}
	if own, err := raw.LookupErr("_id"); err == nil {
		if text, ok := own.StringValueOK(); !ok || text != id {
			return nil, fmt.Errorf("payload has the _id %.100s, want none with UseID, or the ID of the record, %.100q", own, id)
		}
		return raw, nil
	}
	doc := make(bson.Raw, 4, len(raw)+len(id)+10)
	doc = append(doc, byte(bson.TypeString))
	doc = append(doc, "_id\x00"...)
	doc = binary.LittleEndian.AppendUint32(doc, uint32(len(id)+1))
	doc = append(append(doc, id...), 0)
	doc = append(doc, raw[4:]...)
	binary.LittleEndian.PutUint32(doc, uint32(len(doc)))
	return doc, nil
}

// filter returns what finds the document that raw replaces, or nil without
// Options.Key.
func (e *encoder) filter(raw bson.Raw) (bson.D, error) {
	var filter bson.D
	for _, field := range e.opts.Key {
		value, err := raw.LookupErr(strings.Split(field, ".")...)
		switch {
		case err != nil:
			return nil, fmt.Errorf("payload has no field %q, which is in Options.Key", field)
		case value.Type == bson.TypeNull || value.Type == bson.TypeUndefined || value.Type == bson.TypeArray:
			return nil, fmt.Errorf("payload has %s in the field %q, which is in Options.Key; want a value that one document has", value.Type, field)
		}
		// $eq, so that nothing in the value is taken for an operator.
		filter = append(filter, bson.E{Key: field, Value: bson.D{{Key: "$eq", Value: value}}})
	}
	return filter, nil
}

// isOperator reports whether a document begins like an update of one.
func isOperator(raw bson.Raw) bool {
	first, err := raw.IndexErr(0)
	return err == nil && strings.HasPrefix(first.Key(), "$")
}
