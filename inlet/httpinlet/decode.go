package httpinlet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/databay-go/databay/record"
)

// Decoder makes records of the body of a response. The records may refer to the body,
// which it must not change. It is called concurrently if pulls are.
type Decoder func(body []byte) ([]record.Record, error)

// JSON is a [Decoder] whose records carry Ts. Of an array every element becomes a
// record; anything else is one T and becomes one record. There is none of an empty
// body or a null. Inside an array a null keeps its place, as a zero T.
//
// As encoding/json does, it makes float64 of numbers, map[string]any of objects
// and []any of lists where T leaves it open.
func JSON[T any](body []byte) ([]record.Record, error) {
	body = trim(body)
	switch {
	case len(body) == 0 || string(body) == "null":
		return nil, nil
	case body[0] == '[':
		var values []T
		if err := json.Unmarshal(body, &values); err != nil {
			return nil, err
		}
		records := make([]record.Record, len(values))
		for i, v := range values {
			records[i].Payload = v
		}
		return records, nil
	}
	var value T
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, err
	}
	return []record.Record{record.New(value)}, nil
}

// JSONField returns a [Decoder] of what is at a field of a JSON object, as [JSON]
// decodes it. The path is that of [Field]. There is no record if the field is missing
// or null. Without a path it fails.
func JSONField[T any](path string) Decoder {
	if path == "" {
		return func([]byte) ([]record.Record, error) {
			return nil, errors.New("httpinlet.JSONField: path is empty, want that of a field, or JSON for the whole body")
		}
	}
	return func(body []byte) ([]record.Record, error) {
		value, err := at(body, path)
		if err != nil || value == nil {
			return nil, err
		}
		return JSON[T](value)
	}
}

// JSONLines is a [Decoder] of JSON lines, whose records carry Ts. Every line that is
// not blank becomes a record; a null is a zero T.
func JSONLines[T any](body []byte) ([]record.Record, error) {
	var records []record.Record
	n := 0
	for line := range bytes.SplitSeq(trim(body), []byte("\n")) {
		n++
		if len(bytes.Trim(line, space)) == 0 {
			continue
		}
		var value T
		if err := json.Unmarshal(line, &value); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		records = append(records, record.New(value))
	}
	return records, nil
}

// Text is a [Decoder] that makes one record of the whole body, a string. There is
// none of an empty body.
func Text(body []byte) ([]record.Record, error) {
	if len(body) == 0 {
		return nil, nil
	}
	return []record.Record{record.New(string(body))}, nil
}

// WithID returns a [Decoder] that gives the records of decode, which carry Ts, the IDs
// that id returns. A record whose ID is "" has none; one without a T is an error. Without
// a decode or an id it fails.
func WithID[T any](decode Decoder, id func(T) string) Decoder {
	var errs []error
	if decode == nil {
		errs = append(errs, errors.New("httpinlet.WithID: decode is nil, want a Decoder, JSON for instance"))
	}
	if id == nil {
		errs = append(errs, errors.New("httpinlet.WithID: id is nil, want what returns the ID of a value"))
	}
	if errs != nil {
		return func([]byte) ([]record.Record, error) { return nil, errors.Join(errs...) }
	}
	return func(body []byte) ([]record.Record, error) {
		records, err := decode(body)
		for i, r := range records {
			value, wrong := record.As[T](r)
			if wrong != nil {
				return nil, fmt.Errorf("record %d: %w", i, wrong)
			}
			records[i] = r.WithID(id(value))
		}
		return records, err
	}
}

// space is what may be around a JSON value.
const space = " \t\r\n"

// trim returns the body without a byte order mark, and without space around it.
func trim(body []byte) []byte {
	return bytes.Trim(bytes.TrimPrefix(body, []byte("\uFEFF")), space)
}
