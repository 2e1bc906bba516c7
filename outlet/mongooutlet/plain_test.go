package mongooutlet_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/record"
)

// sent returns what is sent of a payload, without the generated _id, as the driver reads
// it.
func sent(t testing.TB, payload any) map[string]any {
	t.Helper()
	d := newDouble(t, nil)
	require.Empty(t, push(t, started(t, d.uri, "rows", nil), record.New(payload)))
	docs := d.take()
	require.Len(t, docs, 1)
	var m map[string]any
	require.NoError(t, bson.Unmarshal(docs[0], &m))
	delete(m, "_id")
	return m
}

// Maps of what JSON has are sent as the driver would send them.
func TestPlainMaps(t *testing.T) {
	t.Parallel()
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"s":"text\u0000 ü","n":-1.5,"t":true,"f":false,"z":null,"":"","m":{"x":{"y":[]}},"l":[1,"a",null,[true],{"k":"v"}]}`), &decoded))
	for name, m := range map[string]map[string]any{
		"decoded":    decoded,
		"empty":      {},
		"ints":       {"a": 0, "b": -1, "c": math.MaxInt32, "d": math.MinInt32, "e": math.MaxInt32 + 1, "f": math.MinInt64, "g": math.MaxInt64},
		"floats":     {"a": math.Inf(1), "b": math.Copysign(0, -1), "c": math.MaxFloat64},
		"others":     {"a": int64(1), "b": time.UnixMilli(1).UTC(), "c": []string{"x"}, "d": uint8(3), "e": json.Number("7")},
		"nil inside": {"a": map[string]any(nil), "b": []any(nil), "c": []any{nil}},
		"mixed":      {"plain": map[string]any{"deep": []any{int32(1)}}},
		"long lists": {"a": make([]any, 1200)},
	} {
		raw, err := bson.Marshal(m)
		require.NoError(t, err)
		var want map[string]any
		require.NoError(t, bson.Unmarshal(raw, &want))
		assert.Equal(t, want, sent(t, m), name)
	}
	d := newDouble(t, nil)
	for _, key := range []string{"a\x00b", "\x00"} {
		bad := map[string]any{"list": []any{map[string]any{key: 1}}}
		causes := push(t, started(t, d.uri, "rows", nil), record.New(bad), record.New(row{"good": 1}))
		require.Len(t, causes, 1)
		assert.True(t, record.IsPermanent(causes[0]), "no name has a zero byte: %v", causes[0])
		assert.Len(t, d.take(), 1)
	}
}
