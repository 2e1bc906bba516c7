package fileoutlet_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	text := func(i int) record.Record { return record.New("line " + strconv.Itoa(i)) }
	withID := func(i int) record.Record { return text(i).WithID(strconv.Itoa(i)) }
	plain := func(t *testing.T, file string) (all []record.Record) {
		for _, line := range lines(t, file) {
			all = append(all, record.New(line))
		}
		return all
	}
	wide := unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	tests := map[string]struct {
		opts    *fileoutlet.Options
		sample  func(i int) record.Record
		written func(t *testing.T, file string) []record.Record
		skip    map[string]string
	}{
		"text":     {nil, text, plain, nil},
		"truncate": {&fileoutlet.Options{Truncate: true, MaxOpen: 1, Sync: fileoutlet.SyncPush}, text, plain, nil},
		"interval": {&fileoutlet.Options{Sync: fileoutlet.SyncInterval}, text, plain, nil},
		"JSON lines": {&fileoutlet.Options{Encode: fileoutlet.JSON},
			func(i int) record.Record {
				return record.New(map[string]any{"n": float64(i), "text": "two\nlines <&>", "list": []any{"a"}})
			},
			func(t *testing.T, file string) (all []record.Record) {
				for _, line := range lines(t, file) {
					var v any
					require.NoError(t, json.Unmarshal([]byte(line), &v))
					all = append(all, record.New(v))
				}
				return all
			}, nil},
		"UTF-16": {&fileoutlet.Options{Encoding: wide, CRLF: true}, text,
			func(t *testing.T, file string) (all []record.Record) {
				if lines(t, file) == nil {
					return nil
				}
				text, err := wide.NewDecoder().String(read(t, file))
				require.NoError(t, err)
				for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
					all = append(all, record.New(line))
				}
				return all
			}, nil},
		"rotated": {&fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 50}}, text,
			func(t *testing.T, file string) (all []record.Record) {
				for _, f := range rotated(t, file) {
					all = append(all, plain(t, f)...)
				}
				return all
			}, nil},
		"idempotent": {&fileoutlet.Options{Idempotent: true, Rotate: fileoutlet.Rotate{Size: 50}}, withID,
			func(t *testing.T, file string) (all []record.Record) {
				for _, f := range rotated(t, file) {
					for _, line := range lines(t, f) {
						id, text, _ := strings.Cut(line, "\t")
						all = append(all, record.New(text).WithID(id))
					}
				}
				return all
			}, nil},
		"replaced": {&fileoutlet.Options{Replace: true}, text, plain, map[string]string{
			"writes":            "each push replaces what the one before has written",
			"order":             "each push replaces what the one before has written",
			"concurrent pushes": "each push replaces what the one before has written",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				file := path(t)
				return fileoutlet.New(file, test.opts), func() []record.Record { return test.written(t, file) }
			}, test.sample, &testkit.OutletOptions{Skip: test.skip})
		})
	}
}
