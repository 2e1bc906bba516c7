package fileinlet_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// odd writes line ends of three bytes.
type odd struct{ encoding.Encoding }

func (odd) NewEncoder() *encoding.Encoder { return &encoding.Encoder{Transformer: triple{}} }

type triple struct{ transform.NopResetter }

func (triple) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for range src {
		if len(dst) < nDst+3 {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += copy(dst[nDst:], "abc")
		nSrc++
	}
	return nDst, nSrc, nil
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path string
		opts fileinlet.Options
		want []string
	}{
		"path": {"", fileinlet.Options{}, []string{"fileinlet: the path is empty, want that of a file"}},
		"bounds": {"x", fileinlet.Options{MaxRecords: -2, MaxBytes: -3, MaxLine: -4}, []string{
			"fileinlet: MaxRecords is -2, want more than 0, or 0 for 100000, or -1 for any number",
			"fileinlet: MaxBytes is -3, want more than 0, or 0 for 67108864, or -1 for any number",
			"fileinlet: MaxLine is -4, want more than 0 bytes, or 0 for the default, or -1 for any number",
		}},
		"changed": {"x", fileinlet.Options{Changed: true}, []string{"fileinlet: Changed is true without Whole, want both: lines are only read once anyway"}},
		"whole": {"x", fileinlet.Options{
			Whole: true, CSV: &fileinlet.CSV{}, MaxRecords: 1, MaxBytes: 1, KeepEnds: true, FromEnd: true,
			OnLost: func(context.Context, *fileinlet.LostError) error { return nil },
		}, []string{
			"fileinlet: CSV is set together with Whole, want it for lines only",
			"fileinlet: MaxRecords is set together with Whole, want it for lines only",
			"fileinlet: MaxBytes is set together with Whole, want it for lines only",
			"fileinlet: KeepEnds is set together with Whole, want it for lines only",
			"fileinlet: FromEnd is set together with Whole, want it for lines only",
			"fileinlet: OnLost is set together with Whole, want it for lines only",
			"fileinlet: KeepEnds is true together with CSV, want it for lines only",
		}},
		"csv": {"x", fileinlet.Options{Decode: fileinlet.JSON[any], CSV: &fileinlet.CSV{Comma: '"', Comment: '\n', Columns: []string{}}}, []string{
			"fileinlet: Decode is set together with CSV, want CSV.Decode for rows",
			`fileinlet: CSV.Comma is '"', want a character other than a quote or a line end`,
			`fileinlet: CSV.Comment is '\n', want a character other than a quote or a line end, or 0 for none`,
			"fileinlet: CSV.Columns: there are none, want a name for every column",
		}},
		"csv characters": {"x", fileinlet.Options{CSV: &fileinlet.CSV{Comma: -1, Comment: 0xFFFD}}, []string{
			`fileinlet: CSV.Comma is '�', want a character other than a quote or a line end`,
			`fileinlet: CSV.Comment is '�', want a character other than a quote or a line end, or 0 for none`,
		}},
		"csv columns": {"x", fileinlet.Options{CSV: &fileinlet.CSV{Comment: ',', Columns: []string{"a", "b", "a"}}}, []string{
			"fileinlet: CSV.Comment is ',', which is CSV.Comma too, want another one",
			`fileinlet: CSV.Columns: "a" is the name of columns 1 and 3, want names that differ`,
		}},
		"encoding": {"x", fileinlet.Options{Encoding: odd{encoding.Nop}}, []string{
			"fileinlet: Encoding is {{}}, whose line ends have 3 bytes, want 1, 2 or 4",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := fileinlet.New(test.path, &test.opts)
			err := in.Validate()
			require.Error(t, err)
			assert.Equal(t, test.want, strings.Split(err.Error(), "\n"))
			assert.Equal(t, err, in.Validate())
			require.EqualError(t, in.Start(t.Context()), err.Error())
			_, err = in.Pull(t.Context(), record.Update{})
			require.Error(t, err)
		})
	}
	require.NoError(t, fileinlet.New("x", nil).Validate())
	require.NoError(t, fileinlet.New("x", &fileinlet.Options{Encoding: charmap.XUserDefined}).Validate())
}

// Options are copied: what is done to them later changes nothing.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	opts := &fileinlet.Options{CSV: &fileinlet.CSV{Columns: []string{"a"}}}
	in := started(t, file(t, "1\n"), opts)
	opts.CSV.Columns[0] = "b"
	opts.CSV.Comma = ';'
	opts.MaxLine = -7
	assert.Equal(t, list(map[string]string{"a": "1"}), pull(t, in))
	require.NoError(t, in.Validate())
}
