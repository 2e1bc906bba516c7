package mongooutlet_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

type tagged struct {
	Name   string `json:"fullName"`
	Bson   int    `bson:"b" json:"j"`
	Plain  bool
	Hidden string `json:"-"`
	Empty  string `json:"empty,omitempty"`
	Inner  struct{ X time.Time }
}

type selfMade struct{ err error }

func (s selfMade) MarshalBSON() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return bson.Marshal(bson.D{{Key: "self", Value: "made"}})
}

type panicking struct{}

func (panicking) MarshalBSON() ([]byte, error) { panic("no") }

// extended returns a document as JSON, without a generated _id.
func extended(t testing.TB, raw bson.Raw) string {
	t.Helper()
	var d bson.D
	require.NoError(t, bson.Unmarshal(raw, &d))
	if len(d) > 0 && d[0].Key == "_id" {
		if _, ok := d[0].Value.(bson.ObjectID); ok {
			d = d[1:]
		}
	}
	text, err := bson.MarshalExtJSON(d, false, false)
	require.NoError(t, err)
	return string(text)
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	raw, err := bson.Marshal(bson.D{{Key: "raw", Value: 1}})
	require.NoError(t, err)
	st := tagged{Name: "Ada", Bson: 1, Plain: true, Hidden: "no"}
	st.Inner.X = time.Date(2026, 1, 2, 3, 4, 5, 6_789_000, time.UTC)
	const asStruct = `{"fullName":"Ada","b":1,"plain":true,"inner":{"x":{"$date":"2026-01-02T03:04:05.006Z"}}}`
	for name, test := range map[string]struct {
		payload any
		want    []string
	}{
		"map":            {row{"a": "x"}, []string{`{"a":"x"}`}},
		"typed map":      {map[string]int{"a": 1}, []string{`{"a":1}`}},
		"int keys":       {map[int]string{7: "x"}, []string{`{"7":"x"}`}},
		"nil map":        {row(nil), []string{`{}`}},
		"empty map":      {row{}, []string{`{}`}},
		"bson.M":         {bson.M{"a": bson.A{1, nil}}, []string{`{"a":[1,null]}`}},
		"bson.D":         {bson.D{{Key: "b", Value: 1}, {Key: "a", Value: 2}}, []string{`{"b":1,"a":2}`}},
		"empty bson.D":   {bson.D{}, []string{`{}`}},
		"bson.Raw":       {bson.Raw(raw), []string{`{"raw":1}`}},
		"struct":         {st, []string{asStruct}},
		"pointer":        {&st, []string{asStruct}},
		"own encoding":   {selfMade{}, []string{`{"self":"made"}`}},
		"JSON":           {[]byte(` {"a":1,"b":[2.5,"x",null],"c":5000000000}`), []string{`{"a":1,"b":[2.5,"x",null],"c":5000000000}`}},
		"extended JSON":  {json.RawMessage(`{"t":{"$date":"2026-01-02T03:04:05Z"},"n":{"$numberLong":"7"}}`), []string{`{"t":{"$date":"2026-01-02T03:04:05Z"},"n":7}`}},
		"own _id":        {row{"_id": "mine"}, []string{`{"_id":"mine"}`}},
		"list of maps":   {[]row{{"a": 1}, {"a": 2}}, []string{`{"a":1}`, `{"a":2}`}},
		"list of any":    {[]any{row{"a": 1}, bson.D{{Key: "b", Value: 2}}, []byte(`{"c":3}`)}, []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}},
		"bson.A":         {bson.A{row{"a": 1}}, []string{`{"a":1}`}},
		"list of bson.D": {[]bson.D{{{Key: "a", Value: 1}}}, []string{`{"a":1}`}},
		"array":          {[1]tagged{st}, []string{asStruct}},
		"empty list":     {[]row{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, nil)
			require.Empty(t, push(t, started(t, d.uri, "rows", nil), record.New(test.payload)))
			var got []string
			for _, c := range d.writes() {
				for _, doc := range c.docs {
					got = append(got, extended(t, doc))
				}
			}
			assert.Equal(t, test.want, got)
		})
	}
}

// The names that an outlet gives to fields are those of json tags whatever the rest of
// the program makes of the type, and the other way round.
func TestFieldNamesAreTheOutletsOwn(t *testing.T) {
	t.Parallel()
	type first struct {
		A int `json:"jsonA"`
	}
	type then struct {
		A int `json:"jsonA"`
	}
	byDefault := func(v any) string {
		raw, err := bson.Marshal(v)
		require.NoError(t, err)
		return extended(t, raw)
	}
	assert.Equal(t, `{"a":1}`, byDefault(first{1}))
	d := newDouble(t, nil)
	require.Empty(t, push(t, started(t, d.uri, "rows", nil), records(first{1}, then{1})...))
	for _, doc := range d.take() {
		assert.Equal(t, `{"jsonA":1}`, extended(t, doc))
	}
	assert.Equal(t, `{"a":1}`, byDefault(then{1}))
}

// Each of these fails for good, in the middle of records that are written.
func TestForeignPayloads(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	o := started(t, d.uri, "rows", nil)
	var none *tagged
	for name, test := range map[string]struct {
		payload any
		want    string
	}{
		"nil":              {nil, "payload is nil, want a document"},
		"nil pointer":      {none, "payload is a *mongooutlet_test.tagged, want a document"},
		"more than BSON":   {bson.Raw("\x05\x00\x00\x00\x00x"), "payload is a bson.Raw"},
		"string":           {"text", "payload is a string, want a document"},
		"number":           {5, "payload is a int, want a document"},
		"time":             {time.Now(), "payload is a time.Time, want a document"},
		"channel":          {row{"c": make(chan int)}, "no encoder found for chan int"},
		"too large number": {row{"n": uint64(math.MaxUint64)}, "want a document"},
		"broken text":      {row{"a\x00b": 1}, "want a document"},
		"own error":        {selfMade{errors.New("cannot")}, "cannot"},
		"own panic":        {panicking{}, "encoding the record panicked: no"},
		"no BSON":          {bson.Raw{1, 2, 3}, "payload is a bson.Raw that is no document"},
		"empty BSON":       {bson.Raw(nil), "payload is a bson.Raw that is no document"},
		"no JSON":          {[]byte(`{"a":`), `payload is "{\"a\":", want bytes that are a JSON object`},
		"JSON list":        {[]byte(`[{"a":1}]`), "want bytes that are a JSON object"},
		"JSON null":        {json.RawMessage(`null`), "want bytes that are a JSON object"},
		"two of JSON":      {json.RawMessage(`{"a":1} {"b":2}`), "want bytes that are a JSON object"},
		"no bytes":         {[]byte{}, "want bytes that are a JSON object"},
		"no extended JSON": {[]byte(`{"a":{"$date":"soon"}}`), "want extended JSON"},
		"list":             {[]any{row{"a": 1}, "x"}, "document 1 of the list: payload is a string"},
		"list in a list":   {[][]row{{{"a": 1}}}, "document 0 of the list: payload is a []map[string]interface {}"},
		"large":            {row{"text": strings.Repeat("x", 16<<20)}, "the document has 16777249 bytes, want at most 16777216"},
		"one byte":         {row{"text": strings.Repeat("x", 16<<20-32)}, "the document has 16777217 bytes, want at most 16777216"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(inserted(t, d))
			failed := push(t, o, record.New(row{"a": 1}), record.New(test.payload), record.New(row{"a": 2}))
			all, permanent := indices(failed)
			require.Equal(t, []int{1}, all)
			assert.Equal(t, []int{1}, permanent)
			assert.ErrorContains(t, failed[1], test.want)
			assert.Less(t, len(failed[1].Error()), 2000)
			assert.Len(t, inserted(t, d), before+2)
		})
	}
	t.Run("largest", func(t *testing.T) {
		require.Empty(t, push(t, o, record.New(row{"text": strings.Repeat("x", 16<<20-33)}), record.New(row{"_id": int32(1), "text": strings.Repeat("x", 16<<20-25)})))
	})
}

// FuzzJSON checks that whatever the bytes are, a document of what they say is written,
// or that record fails for good.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{`{"a":1}`, `{"a":{"$oid":"5f"}}`, `{"$date":1}`, `{"a":1e400}`, `{"":{"":[]}}`, `{"a":1}x`, `{"a":"\ud800"}`, `{"a":{"$numberDecimal":"x"}}`, `{"a":1,"a":2}`, "{\"\\u0000\":1}"} {
		f.Add([]byte(text))
	}
	d := newDouble(f, nil)
	o := mongooutlet.New(d.uri, "databay", "rows", nil)
	if err := o.Start(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		failed := push(t, o, record.New(text), record.New(row{"last": true}))
		docs := d.take()
		if failed != nil {
			if len(failed) != 1 || !record.IsPermanent(failed[0]) || len(docs) != 1 {
				t.Fatalf("%q is answered with %v, and %d documents came", text, failed, len(docs))
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%q was written as %v, but it is no JSON object: %v", text, docs, err)
		}
		if len(docs) != 2 || docs[0].Validate() != nil {
			t.Fatalf("%q came as %v", text, docs)
		}
	})
}
