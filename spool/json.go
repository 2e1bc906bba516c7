package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/databay-go/databay/record"
)

// JSON returns the codec of records whose payload is a T, which encoding/json makes
// text of and reads again; what it leaves out, as unexported fields, gets lost. T may
// not be an interface, since numbers would come back as others.
//
// It keeps ID, inlet, and metadata whose values are nil, booleans, strings, numbers,
// bytes, [time.Time] and [time.Duration], each as the type it was. A record with any
// other payload or metadata cannot be encoded, nor one whose payload has text that is not
// UTF-8, which JSON does not keep; data of another type than T cannot be decoded: the
// error names both.
func JSON[T any]() Codec { return jsonCodec[T]{} }

type jsonCodec[T any] struct{}

type jsonRecord struct {
	Type     string          `json:"type"`
	ID       string          `json:"id,omitempty"`
	RawID    []byte          `json:"rawID,omitempty"` // if it is not UTF-8
	Inlet    string          `json:"inlet,omitempty"`
	Payload  json.RawMessage `json:"payload"`
	Metadata []jsonAttr      `json:"metadata,omitempty"`
}

type jsonAttr struct {
	Key   string          `json:"key"`
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

func (jsonCodec[T]) Encode(r record.Record) ([]byte, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Interface {
		return nil, fmt.Errorf("spool: JSON of %v, want a type that is no interface", t)
	}
	payload, err := record.As[T](r)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	out := jsonRecord{Type: t.String(), ID: r.ID(), Inlet: r.Inlet()}
	if !utf8.ValidString(out.ID) {
		out.ID, out.RawID = "", []byte(out.ID)
	}
	if out.Payload, err = json.Marshal(payload); err == nil {
		err = keeps[T](out.Payload)
	}
	if err != nil {
		return nil, fmt.Errorf("spool: payload %v: %w", t, err)
	}
	for key, value := range r.Metadata.All() {
		a := jsonAttr{Key: key, Type: fmt.Sprintf("%T", value)}
		if !plainType(value) {
			return nil, fmt.Errorf("spool: metadata %q is a %T, want a plain value", key, value)
		}
		if s, ok := value.(string); ok && !utf8.ValidString(s) {
			a.Type, value = rawString, []byte(s)
		}
		if a.Value, err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("spool: metadata %q: %w", key, err)
		}
		out.Metadata = append(out.Metadata, a)
	}
	return json.Marshal(out)
}

func (jsonCodec[T]) Decode(data []byte) (record.Record, error) {
	var in jsonRecord
	if err := json.Unmarshal(data, &in); err != nil {
		return record.Record{}, fmt.Errorf("spool: %w", err)
	}
	if t := reflect.TypeFor[T]().String(); in.Type != t {
		return record.Record{}, fmt.Errorf("spool: payload is a %q, want %s", in.Type, t)
	}
	var payload T
	if err := json.Unmarshal(in.Payload, &payload); err != nil {
		return record.Record{}, fmt.Errorf("spool: payload %s: %w", in.Type, err)
	}
	attrs := make([]record.Attr, 0, len(in.Metadata))
	for _, a := range in.Metadata {
		value, err := plain(a.Type, a.Value)
		if err != nil {
			return record.Record{}, fmt.Errorf("spool: metadata %q of type %q: %w", a.Key, a.Type, err)
		}
		attrs = append(attrs, record.Attr{Key: a.Key, Value: value})
	}
	records := []record.Record{record.New(payload, attrs...).WithID(in.ID + string(in.RawID))}
	if in.Inlet != "" {
		record.Stamp(records, &record.Origin{Inlet: in.Inlet})
	}
	return records[0], nil
}

// keeps returns an error if text is what encoding/json made of text that is not UTF-8:
// for that it writes the replacement character escaped, else as it is.
func keeps[T any](text []byte) error {
	if !bytes.Contains(text, []byte(`\ufffd`)) {
		return nil
	}
	var same T
	if err := json.Unmarshal(text, &same); err != nil {
		return err
	}
	again, err := json.Marshal(same)
	if err == nil && !bytes.Equal(again, text) {
		err = errors.New("it has text that is not UTF-8, which JSON does not keep")
	}
	return err
}

// rawString is the type, in a file, of a string that is not UTF-8.
const rawString = "string of bytes"

// plainType reports whether plain can read a value.
func plainType(value any) bool {
	_, err := plain(fmt.Sprintf("%T", value), []byte("null"))
	return !errors.Is(err, errNotPlain)
}

var errNotPlain = errors.New("the type is unknown")

// plain reads a value of the type of a name.
func plain(name string, value json.RawMessage) (any, error) {
	switch name {
	case "<nil>":
		return nil, nil
	case "bool":
		return as[bool](value)
	case "string":
		return as[string](value)
	case rawString:
		var b []byte
		err := json.Unmarshal(value, &b)
		return string(b), err
	case "int":
		return as[int](value)
	case "int8":
		return as[int8](value)
	case "int16":
		return as[int16](value)
	case "int32":
		return as[int32](value)
	case "int64":
		return as[int64](value)
	case "uint":
		return as[uint](value)
	case "uint8":
		return as[uint8](value)
	case "uint16":
		return as[uint16](value)
	case "uint32":
		return as[uint32](value)
	case "uint64":
		return as[uint64](value)
	case "float32":
		return as[float32](value)
	case "float64":
		return as[float64](value)
	case "[]uint8":
		return as[[]byte](value)
	case "time.Time":
		return as[time.Time](value)
	case "time.Duration":
		return as[time.Duration](value)
	}
	return nil, errNotPlain
}

func as[V any](value json.RawMessage) (any, error) {
	var v V
	err := json.Unmarshal(value, &v)
	return v, err
}
