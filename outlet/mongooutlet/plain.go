package mongooutlet

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// appendPlain appends a map as a document, if it has nothing but what decoded JSON has,
// and ints: what the driver makes of it, without reflection.
func appendPlain(dst []byte, m map[string]any) (doc []byte, ok bool) {
	if m == nil {
		return dst, false
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for key, value := range m {
		if strings.IndexByte(key, 0) >= 0 {
			return dst, false
		}
		if dst, ok = appendElement(dst, key, value); !ok {
			return dst, false
		}
	}
	return ended(dst, start), true
}

// appendList appends a list as an array, which is a document of indices.
func appendList(dst []byte, list []any) (array []byte, ok bool) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i, value := range list {
		if dst, ok = appendElement(dst, strconv.Itoa(i), value); !ok {
			return dst, false
		}
	}
	return ended(dst, start), true
}

// ended ends a document that begins at start with room for its length.
func ended(dst []byte, start int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func appendElement(dst []byte, key string, value any) (out []byte, ok bool) {
	head := func(t bson.Type) { dst = append(append(append(dst, byte(t)), key...), 0) }
	switch v := value.(type) {
	case nil:
		head(bson.TypeNull)
	case string:
		head(bson.TypeString)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)+1))
		dst = append(append(dst, v...), 0)
	case float64:
		head(bson.TypeDouble)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	case bool:
		head(bson.TypeBoolean)
		b := byte(0)
		if v {
			b = 1
		}
		dst = append(dst, b)
	case int:
		if v != int(int32(v)) {
			head(bson.TypeInt64)
			return binary.LittleEndian.AppendUint64(dst, uint64(v)), true
		}
		head(bson.TypeInt32)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	case map[string]any:
		head(bson.TypeEmbeddedDocument)
		return appendPlain(dst, v)
	case []any:
		if v == nil {
			return dst, false
		}
		head(bson.TypeArray)
		return appendList(dst, v)
	default:
		return dst, false
	}
	return dst, true
}
