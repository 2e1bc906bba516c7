package httpinlet

import (
	"bytes"
	"encoding/json"

	"github.com/databay-go/databay/record"
)

// Decoder makes records of the body of a response. The body belongs to it. It is
// called concurrently if pulls are.
type Decoder func(body []byte) ([]record.Record, error)

// JSON is a [Decoder] whose records carry Ts. Of an array every element becomes a
// record; anything else is one T and becomes one record. There is none of an empty
// body or a null. Inside an array a null keeps its place, as a zero T.
//
// As encoding/json does, it makes float64 of numbers, map[string]any of objects
// and []any of lists where T leaves it open.
func JSON[T any](body []byte) ([]record.Record, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
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

// Text is a [Decoder] that makes one record of the whole body, a string. There is
// none of an empty body.
func Text(body []byte) ([]record.Record, error) {
	if len(body) == 0 {
		return nil, nil
	}
	return []record.Record{record.New(string(body))}, nil
}
