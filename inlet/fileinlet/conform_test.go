package fileinlet_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/testkit"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	var lines, objects, rows strings.Builder
	rows.WriteString("n,text\n")
	for i := range 20 {
		fmt.Fprintf(&lines, "line %d\n", i)
		fmt.Fprintf(&objects, "{\"n\":%d,\"list\":[1,2]}\n", i)
		fmt.Fprintf(&rows, "%d,\"a\nb\"\n", i)
	}
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for name, test := range map[string]struct {
		text string
		opts fileinlet.Options
	}{
		"lines":          {lines.String(), fileinlet.Options{}},
		"one at a time":  {lines.String(), fileinlet.Options{MaxRecords: 1}},
		"bytes":          {lines.String(), fileinlet.Options{Decode: func(line []byte) (any, error) { return line, nil }, MaxRecords: 3}},
		"JSON":           {objects.String(), fileinlet.Options{Decode: fileinlet.JSON[any], MaxRecords: 3}},
		"CSV":            {rows.String(), fileinlet.Options{CSV: &fileinlet.CSV{}, MaxRecords: 3}},
		"gzip":           {zipped(t, lines.String()), fileinlet.Options{Gzip: true, MaxRecords: 3}},
		"CSV in gzip":    {zipped(t, rows.String()), fileinlet.Options{Gzip: true, CSV: &fileinlet.CSV{}, MaxRecords: 3}},
		"UTF-16":         {encoded(t, utf16, lines.String()), fileinlet.Options{Encoding: utf16, MaxRecords: 3}},
		"whole":          {lines.String(), fileinlet.Options{Whole: true}},
		"whole, changed": {lines.String(), fileinlet.Options{Whole: true, Changed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := make(map[*testing.T]string)
			testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
				if paths[t] == "" {
					paths[t] = filepath.Join(t.TempDir(), "file")
					write(t, paths[t], test.text)
				}
				return fileinlet.New(paths[t], &test.opts)
			}, nil)
		})
	}
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}
