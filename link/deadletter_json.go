package link

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/databay-go/databay/record"
)

// letterVersion is the version of encoded dead letters.
const letterVersion = 1

// The encodings of a payload.
const (
	asJSON   = "json"
	asBase64 = "base64"
	asText   = "text"
)

// letterView is an encoded dead letter. Its tags are the documented names.
type letterView struct {
	Version  int             `json:"version"`
	Time     time.Time       `json:"time"`
	Link     string          `json:"link"`
	Lane     string          `json:"lane,omitempty"`
	Stage    Op              `json:"stage"`
	Node     string          `json:"node"`
	Reasons  []string        `json:"reasons"`
	Attempts int             `json:"attempts"`
	Number   int64           `json:"number"`
	Due      time.Time       `json:"due"`
	Reason   string          `json:"reason"`
	Inlet    string          `json:"inlet,omitempty"`
	ID       string          `json:"id,omitempty"`
	RawID    []byte          `json:"idBase64,omitempty"` // if it is not UTF-8
	Type     string          `json:"type"`
	Encoding string          `json:"encoding"`
	Payload  json.RawMessage `json:"payload"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// MarshalJSON encodes the letter.
func (d DeadLetter) MarshalJSON() ([]byte, error) {
	v := letterView{
		Version: letterVersion, Time: d.Time, Link: d.Link, Lane: d.Lane, Stage: d.Stage, Node: d.Node,
		Reasons: d.Reasons, Attempts: d.Attempts, Number: d.Number, Due: d.Due, Reason: d.Reason.String(),
		Inlet: d.Record.Inlet(), ID: d.Record.ID(), Type: fmt.Sprintf("%T", d.Record.Payload),
	}
	if !utf8.ValidString(v.ID) {
		v.ID, v.RawID = "", []byte(v.ID)
	}
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	v.Encoding, v.Payload = encodePayload(d.Record.Payload)
	v.Metadata = encodeMetadata(d.Record.Metadata)
	return marshal(v)
}

// marshal returns the JSON of v in one line, as readable as it can be.
func marshal(v any) (text []byte, err error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = guard(func() error { return e.Encode(v) }, nil)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

func encodePayload(payload any) (encoding string, text json.RawMessage) {
	switch p := payload.(type) {
	case string:
		if !utf8.ValidString(p) {
			text, _ = marshal([]byte(p))
			return asBase64, text
		}
	case []byte:
		text, _ = marshal(p)
		return asBase64, text
	}
	text, err := marshal(payload)
	if err != nil {
		text, _ = marshal(shown(payload))
		return asText, text
	}
	return asJSON, text
}

// shown returns what fmt says about v, or only its type if that would not end, since v
// contains itself.
func shown(v any) string {
	if !ends(reflect.ValueOf(v), 1000) {
		return fmt.Sprintf("%T, nested too deep", v)
	}
	return fmt.Sprintf("%+v", v)
}

// ends reports whether nothing in v is nested more than depth deep.
func ends(v reflect.Value, depth int) bool {
	if depth == 0 {
		return false
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return v.IsNil() || ends(v.Elem(), depth-1)
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if !ends(it.Key(), depth-1) || !ends(it.Value(), depth-1) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !ends(v.Index(i), depth-1) {
				return false
			}
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if !ends(field, depth-1) {
				return false
			}
		}
	}
	return true
}

// rawString is how the metadata has a string that is not UTF-8.
type rawString struct {
	Text []byte `json:"base64"`
}

func encodeMetadata(m record.Metadata) json.RawMessage {
	if m.Len() == 0 {
		return nil
	}
	b := []byte{'{'}
	for key, value := range m.All() {
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, _ := marshal(key)
		if s, ok := value.(string); ok && !utf8.ValidString(s) {
			value = rawString{[]byte(s)}
		}
		text, err := marshal(value)
		if err != nil {
			text, _ = marshal(shown(value))
		}
		b = append(append(append(b, name...), ':'), text...)
	}
	return append(b, '}')
}

// Decode returns the payload of a dead letter that was encoded: text is its JSON, and
// typ the Go type that it had.
type Decode func(typ string, text []byte) (any, error)

// DecodeAs is a [Decode] of payloads that are Ts.
func DecodeAs[T any](_ string, text []byte) (any, error) {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return v, nil
}

// ReadDeadLetters reads encoded dead letters, one a line. decode, which may be nil,
// decodes payloads that are no bytes, strings, numbers, truth values, times, or maps
// and lists of any; without it those become what JSON yields for any. An attribute
// of the metadata becomes a string, an int, a float64, a bool or what JSON yields.
//
// A line that is no letter yields an error that names it, and the next one follows:
// after a crash the last line may be torn. Empty lines are skipped. After an error
// of r there is nothing more.
func ReadDeadLetters(r io.Reader, decode Decode) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		lines := bufio.NewReader(r)
		for n := 1; ; n++ {
			line, err := lines.ReadBytes('\n')
			if line = bytes.TrimSpace(line); len(line) > 0 {
				d, wrong := decodeLetter(line, decode)
				if wrong != nil {
					wrong = fmt.Errorf("dead letter in line %d: %w", n, wrong)
				}
				if !yield(d, wrong) {
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(DeadLetter{}, fmt.Errorf("dead letters after line %d: %w", n-1, err))
				}
				return
			}
		}
	}
}

func decodeLetter(line []byte, decode Decode) (DeadLetter, error) {
	var v letterView
	if err := json.Unmarshal(line, &v); err != nil {
		return DeadLetter{}, err
	}
	if v.Version != letterVersion {
		return DeadLetter{}, fmt.Errorf("version is %d, want %d", v.Version, letterVersion)
	}
	reason, err := parseReason(v.Reason)
	if err != nil {
		return DeadLetter{}, err
	}
	payload, err := v.payload(decode)
	if err != nil {
		return DeadLetter{}, err
	}
	attrs, err := decodeMetadata(v.Metadata)
	if err != nil {
		return DeadLetter{}, err
	}
	r := []record.Record{record.New(payload, attrs...).WithID(v.ID + string(v.RawID))}
	if v.Inlet != "" {
		record.Stamp(r, &record.Origin{Inlet: v.Inlet})
	}
	return DeadLetter{
		Time: v.Time, Link: v.Link, Lane: v.Lane, Stage: v.Stage, Node: v.Node, Reasons: v.Reasons, Attempts: v.Attempts,
		Number: v.Number, Due: v.Due, Reason: reason, Record: r[0],
	}, nil
}

func parseReason(s string) (record.Reason, error) {
	for r := record.Scheduled; r <= record.Flush; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("reason is %q, want scheduled, immediate, forced or flush", s)
}

func (v *letterView) payload(decode Decode) (any, error) {
	switch v.Encoding {
	case asText:
		return nil, fmt.Errorf("the payload, a %s, is a text that it cannot be restored from", v.Type)
	case asBase64:
		var b []byte
		if err := json.Unmarshal(v.Payload, &b); err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		if v.Type == "string" {
			return string(b), nil
		}
		return b, nil
	case asJSON:
	default:
		return nil, fmt.Errorf("encoding is %q, want %s, %s or %s", v.Encoding, asJSON, asBase64, asText)
	}
	if len(v.Payload) == 0 {
		return nil, errors.New("payload is absent")
	}
	if t := plainType(v.Type); t != nil {
		p := reflect.New(t)
		if err := json.Unmarshal(v.Payload, p.Interface()); err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		return p.Elem().Interface(), nil
	}
	if decode == nil || v.Type == "<nil>" {
		return DecodeAs[any](v.Type, v.Payload)
	}
	var payload any
	err := guard(func() (err error) {
		payload, err = decode(v.Type, v.Payload)
		return err
	}, nil)
	return payload, err
}

// plainType returns the type with the given name, if JSON restores it by itself.
func plainType(name string) reflect.Type {
	for _, t := range []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[float64](), reflect.TypeFor[float32](),
		reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), reflect.TypeFor[json.RawMessage](),
		reflect.TypeFor[map[string]any](), reflect.TypeFor[[]any](), reflect.TypeFor[map[string]string](), reflect.TypeFor[[]string](),
	} {
		if t.String() == name {
			return t
		}
	}
	return nil
}

// decodeMetadata returns the attributes in their order.
func decodeMetadata(text []byte) (attrs []record.Attr, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	values := make(map[string]json.RawMessage)
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	keys := json.NewDecoder(bytes.NewReader(text))
	_, _ = keys.Token() // it was parsed just now: it is an object
	for keys.More() {
		key, _ := keys.Token()
		var skipped json.RawMessage
		_ = keys.Decode(&skipped)
		name, _ := key.(string)
		attrs = append(attrs, record.Attr{Key: name, Value: decodeValue(values[name])})
	}
	return attrs, nil
}

// decodeValue returns the value of an attribute, an int if it is a whole number.
func decodeValue(text json.RawMessage) (v any) {
	var raw rawString
	strict := json.NewDecoder(bytes.NewReader(text))
	if strict.DisallowUnknownFields(); strict.Decode(&raw) == nil && raw.Text != nil {
		return string(raw.Text)
	}
	var n int
	if json.Unmarshal(text, &n) == nil && string(text) != "null" {
		return n
	}
	_ = json.Unmarshal(text, &v)
	return v
}
