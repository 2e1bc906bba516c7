package record_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/record"
)

func attr(key string, value any) record.Attr { return record.Attr{Key: key, Value: value} }

func TestMetadataMerge(t *testing.T) {
	none := record.Metadata{}
	base := record.NewMetadata(attr("a", 1), attr("b", 2))
	for _, test := range []struct {
		name string
		got  record.Metadata
		want string
	}{
		{"zero", none, "{}"},
		{"new without attributes", record.NewMetadata(), "{}"},
		{"last of equal keys wins, in the first one's place", record.NewMetadata(attr("a", 1), attr("b", 2), attr("a", 3)), "{a=3 b=2}"},
		{"with nothing", base.With(), "{a=1 b=2}"},
		{"with wins", base.With(attr("c", 3), attr("a", 4)), "{a=4 b=2 c=3}"},
		{"with equal keys", base.With(attr("c", 3), attr("c", 4)), "{a=1 b=2 c=4}"},
		{"local wins over global", record.NewMetadata(attr("b", "local"), attr("c", "local")).Over(base), "{a=1 b=local c=local}"},
		{"over nothing", base.Over(none), "{a=1 b=2}"},
		{"nothing over", none.Over(base), "{a=1 b=2}"},
		{"nothing over nothing", none.Over(none), "{}"},
		{"nil value", record.NewMetadata(attr("a", nil)), "{a=<nil>}"},
		{"empty key", record.NewMetadata(attr("", 1)), "{=1}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, test.got.String())
			n := 0
			for k, v := range test.got.All() {
				got, ok := test.got.Get(k)
				assert.True(t, ok)
				assert.Equal(t, v, got)
				n++
			}
			assert.Equal(t, n, test.got.Len())
			_, ok := test.got.Get("none")
			assert.False(t, ok)
		})
	}
	assert.Equal(t, "{a=1 b=2}", base.String(), "nothing above has changed it")
}

func TestMetadataIsImmutable(t *testing.T) {
	attrs := []record.Attr{attr("a", 1), attr("b", 2)}
	m := record.NewMetadata(attrs...)
	attrs[0].Value = "changed"
	assert.Equal(t, "{a=1 b=2}", m.String(), "the attributes given are copied")

	// Values derived from one do not write into each other's memory.
	x := m.With(attr("c", "x"))
	y := m.With(attr("c", "y"))
	z := x.With(attr("d", "z"))
	assert.Equal(t, "{a=1 b=2} {a=1 b=2 c=x} {a=1 b=2 c=y} {a=1 b=2 c=x d=z}", fmt.Sprint(m, x, y, z))
}

func TestMetadataAllStops(t *testing.T) {
	for k := range record.NewMetadata(attr("a", 1), attr("b", 2)).All() {
		assert.Equal(t, "a", k)
		break
	}
}

func TestMetadataLogs(t *testing.T) {
	var out bytes.Buffer
	h := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key != "m" {
			return slog.Attr{}
		}
		return a
	}})
	slog.New(h).Info("x", "m", record.NewMetadata(attr("a", 1), attr("b", "two")))
	assert.Equal(t, "m.a=1 m.b=two\n", out.String())
}

func TestKey(t *testing.T) {
	file := record.NewKey[string]("test.file")
	anything := record.NewKey[any]("test.any")
	assert.Equal(t, "test.file", file.Name())
	assert.Equal(t, file, record.NewKey[string]("test.file"))
	for _, test := range []struct {
		name string
		r    record.Record
		want string
		ok   bool
	}{
		{"given", record.New(1, file.Of("cat.csv")), "cat.csv", true},
		{"given empty", record.New(1, file.Of("")), "", true},
		{"absent", record.New(1), "", false},
		{"zero record", record.Record{}, "", false},
		{"another type", record.New(1, attr("test.file", 7)), "", false},
		{"nil", record.New(1, attr("test.file", nil)), "", false},
		{"by name", record.New(1, attr("test.file", "dog.csv")), "dog.csv", true},
		{"last one", record.New(1, file.Of("cat.csv")).WithMetadata(file.Of("dog.csv")), "dog.csv", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := file.Get(test.r)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.ok, ok)
			if ok {
				assert.Equal(t, test.want, file.Or(test.r, "default"))
			} else {
				assert.Equal(t, "default", file.Or(test.r, "default"))
			}
		})
	}
	got, ok := anything.Get(record.New(1, anything.Of(nil)))
	assert.Nil(t, got)
	assert.True(t, ok, "nil is a value of an interface")
	_, ok = anything.Get(record.New(1))
	assert.False(t, ok)
}

// Merging is compared with merging maps, and what was merged stays as it is.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte("ab"), []byte("bc"))
	f.Add([]byte(""), []byte("aaab"))
	f.Add([]byte("abcabc"), []byte(""))
	f.Fuzz(func(t *testing.T, globals, locals []byte) {
		list := func(keys []byte, who string) ([]record.Attr, map[string]any) {
			var attrs []record.Attr
			want := map[string]any{}
			for i, k := range keys {
				a := attr(string(rune('a'+k%8)), fmt.Sprint(who, i))
				attrs = append(attrs, a)
				want[a.Key] = a.Value
			}
			return attrs, want
		}
		globalAttrs, want := list(globals, "global")
		localAttrs, local := list(locals, "local")
		global := record.NewMetadata(globalAttrs...)
		before := global.String()
		own := record.NewMetadata(localAttrs...)
		ownBefore := own.String()
		over, with := own.Over(global), global.With(localAttrs...)
		maps.Copy(want, local)
		for name, m := range map[string]record.Metadata{"Over": over, "With": with} {
			got := maps.Collect(m.All())
			if !maps.Equal(want, got) || m.Len() != len(want) {
				t.Errorf("%s: got %v, want %v", name, m, want)
			}
			for k, v := range want {
				if g, ok := m.Get(k); !ok || g != v {
					t.Errorf("%s: %s is %v, want %v", name, k, g, v)
				}
			}
		}
		if over.String() != with.String() {
			t.Errorf("orders differ: %v, %v", over, with)
		}
		if global.String() != before || own.String() != ownBefore {
			t.Errorf("changed: %v, was %v; %v, was %v", global, before, own, ownBefore)
		}
	})
}
