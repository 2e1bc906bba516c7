package spool_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

type order struct {
	ID    int64
	Name  string
	Tags  []string
	Price *float64
}

func TestJSONKeeps(t *testing.T) {
	t.Parallel()
	price := 12.5
	at := time.Date(2026, 3, 29, 2, 30, 0, 7, time.FixedZone("", 3600))
	attrs := []record.Attr{
		{Key: "nil", Value: nil},
		{Key: "bool", Value: true},
		{Key: "string", Value: "a\x00\"<é"},
		{Key: "no UTF-8", Value: "\x00\xff\ufffd"}, // as a key of Kafka may be
		{Key: "int", Value: math.MinInt},
		{Key: "int8", Value: int8(-8)},
		{Key: "int16", Value: int16(-16)},
		{Key: "int32", Value: int32(-32)},
		{Key: "int64", Value: int64(math.MaxInt64)},
		{Key: "uint", Value: uint(1)},
		{Key: "uint8", Value: uint8(8)},
		{Key: "uint16", Value: uint16(16)},
		{Key: "uint32", Value: uint32(32)},
		{Key: "uint64", Value: uint64(math.MaxUint64)},
		{Key: "float32", Value: float32(1.1)},
		{Key: "float64", Value: 0.1},
		{Key: "bytes", Value: []byte{0, 255}},
		{Key: "time", Value: at},
		{Key: "duration", Value: time.Minute},
	}
	records := []record.Record{record.New(order{math.MaxInt64, `a \ufffd` + "\ufffd", []string{"x"}, &price}, attrs...).WithID("orders/\xff1")}
	record.Stamp(records, &record.Origin{Inlet: "orders"})
	codec := spool.JSON[order]()
	data, err := codec.Encode(records[0])
	require.NoError(t, err)
	got, err := codec.Decode(data)
	require.NoError(t, err)
	assert.Equal(t, records[0].Payload, got.Payload)
	assert.Equal(t, "orders/\xff1", got.ID())
	assert.Equal(t, "orders", got.Inlet())
	var found []record.Attr
	for key, value := range got.Metadata.All() {
		if when, ok := value.(time.Time); ok {
			assert.True(t, at.Equal(when))
			value = at
		}
		found = append(found, record.Attr{Key: key, Value: value})
	}
	assert.Equal(t, attrs, found)

	bare, err := codec.Encode(record.New(order{}))
	require.NoError(t, err)
	got, err = codec.Decode(bare)
	require.NoError(t, err)
	assert.Equal(t, record.New(order{}).Payload, got.Payload)
	assert.Nil(t, got.Origin())
	assert.Zero(t, got.Metadata.Len())
}

type named string

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		codec spool.Codec
		r     record.Record
		want  string
	}{
		"another type":    {spool.JSON[order](), record.New("x"), "payload is a string, want spool_test.order"},
		"nil":             {spool.JSON[order](), record.New(nil), "payload is a <nil>, want spool_test.order"},
		"pointer":         {spool.JSON[order](), record.New(new(order)), "payload is a *spool_test.order"},
		"interface":       {spool.JSON[any](), record.New("x"), "JSON of interface {}, want a type that is no interface"},
		"channel":         {spool.JSON[chan int](), record.New(make(chan int)), "unsupported type"},
		"not a number":    {spool.JSON[float64](), record.New(math.NaN()), "unsupported value"},
		"not UTF-8":       {spool.JSON[order](), record.New(order{Name: "\\\xff"}), "payload spool_test.order: it has text that is not UTF-8, which JSON does not keep"},
		"metadata":        {spool.JSON[int](), record.New(1, record.Attr{Key: "a.b", Value: named("x")}), `metadata "a.b" is a spool_test.named, want a plain value`},
		"metadata number": {spool.JSON[int](), record.New(1, record.Attr{Key: "a.b", Value: math.Inf(1)}), `metadata "a.b"`},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := tt.codec.Encode(tt.r)
			require.ErrorContains(t, err, tt.want)
			assert.Nil(t, data)
		})
	}
	good, err := spool.JSON[int]().Encode(record.New(1))
	require.NoError(t, err)
	_, err = spool.JSON[order]().Decode(good)
	require.ErrorContains(t, err, `payload is a "int", want spool_test.order`)
	for data, want := range map[string]string{
		"":                             "unexpected end",
		`{"type":"int"}`:               "payload int",
		`{"type":"int","payload":"x"}`: "payload int",
		`{"type":"int","payload":1,"metadata":[{"key":"k","type":"main.T","value":1}]}`:  `metadata "k" of type "main.T": the type is unknown`,
		`{"type":"int","payload":1,"metadata":[{"key":"k","type":"int8","value":1000}]}`: `metadata "k" of type "int8"`,
	} {
		_, err := spool.JSON[int]().Decode([]byte(data))
		require.ErrorContains(t, err, want)
	}
}

// The character that stands for what is not UTF-8 may be in a payload, escaped too.
func TestJSONReplacementCharacter(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(`{"a":"\ufffd"}`)
	codec := spool.JSON[json.RawMessage]()
	data, err := codec.Encode(record.New(raw))
	require.NoError(t, err)
	got, err := codec.Decode(data)
	require.NoError(t, err)
	require.Equal(t, raw, got.Payload)
}

func FuzzJSON(f *testing.F) {
	codec := spool.JSON[order]()
	for _, r := range []record.Record{record.New(order{}), record.New(order{Name: "x"}, record.Attr{Key: "k", Value: 1}).WithID("i")} {
		data, err := codec.Encode(r)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := codec.Decode(data)
		if err != nil {
			return
		}
		again, err := codec.Encode(r)
		require.NoError(t, err)
		same, err := codec.Decode(again)
		require.NoError(t, err)
		require.Equal(t, r.ID(), same.ID())
		require.Equal(t, r.Payload, same.Payload)
	})
}

func ExampleJSON() {
	codec := spool.JSON[map[string]int]()
	data, err := codec.Encode(record.New(map[string]int{"a": 1}).WithID("numbers/1"))
	fmt.Printf("%s %v\n", data, err)
	r, err := codec.Decode(data)
	fmt.Println(r, r.ID(), err)
	_, err = codec.Encode(record.New("text"))
	fmt.Println(err)
	// Output:
	// {"type":"map[string]int","id":"numbers/1","payload":{"a":1}} <nil>
	// map[a:1] numbers/1 <nil>
	// spool: payload is a string, want map[string]int
}
