package fileinlet_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
)

// changing is a file that has other content at every step of reading, as os.File
// reads in steps until the file ends. The last content stays.
type changing []string

func (f *changing) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		text := (*f)[0]
		if len(*f) > 1 {
			*f = (*f)[1:]
		}
		if text == "broken" {
			return n, errStop
		}
		m := copy(b[n:], text[min(int(at)+n, len(text)):])
		if n += m; m == 0 {
			return n, io.EOF
		}
	}
	return n, nil
}

// What is read while the file is truncated and written again is of before or of
// after, or an error, and never a part of each.
func TestTornRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps changing
		known string
		want  string
		err   error
	}{
		"quiet":                      {changing{"a\nb\n"}, "a\n", "b\n", nil},
		"nothing new":                {changing{"a\n"}, "a\n", "", nil},
		"nothing at all":             {changing{""}, "", "", nil},
		"grows between steps":        {changing{"a\n", "a\nb\n"}, "a\n", "b\n", nil},
		"truncated before":           {changing{""}, "a\n", "", fileinlet.ErrTruncated},
		"other content before":       {changing{"x\ny\n"}, "a\n", "", fileinlet.ErrTruncated},
		"written anew between steps": {changing{"a\n", "x\ny\n"}, "a\n", "", fileinlet.ErrTruncated},
		"the same, nothing known":    {changing{"a\n", "x\ny\n"}, "", "", fileinlet.ErrTruncated},
		"and long":                   {changing{"a\n", "x\n" + strings.Repeat("y", 5000)}, "a\n", "", fileinlet.ErrTruncated},
		"truncated after":            {changing{"a\nb\n", "a\nb\n", ""}, "a\n", "", fileinlet.ErrTruncated},
		"broken":                     {changing{"broken"}, "a\n", "", errStop},
		"broken between steps":       {changing{"a\nb\n", "a\nb\n", "broken"}, "a\n", "", errStop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := make([]byte, 8<<10)
			n, err := fileinlet.ReadAfter(&test.steps, []byte(test.known), int64(len(test.known)), b)
			require.True(t, errors.Is(err, test.err), "%v", err)
			assert.Equal(t, test.want, string(b[len(test.known):][:n]))
		})
	}
}
