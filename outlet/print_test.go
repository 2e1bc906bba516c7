package outlet_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

func TestPrint(t *testing.T) {
	rs := []record.Record{
		record.New(7),
		record.New("x", record.Attr{Key: "k", Value: "v"}),
		record.New(map[string]any{"b": 1, "a": nil}),
		{},
	}
	u := record.Update{Tags: []string{"tag"}, Number: 3}
	for _, test := range []struct {
		name string
		p    *outlet.Printer
		want string
	}{
		{"all", &outlet.Printer{}, "tag.3 7\ntag.3 x {k=v}\ntag.3 map[a:<nil> b:1]\ntag.3 <nil>\n"},
		{"only payload", &outlet.Printer{OnlyPayload: true}, "tag.3 7\ntag.3 x\ntag.3 map[a:<nil> b:1]\ntag.3 <nil>\n"},
		{"skip update", &outlet.Printer{SkipUpdate: true}, "7\nx {k=v}\nmap[a:<nil> b:1]\n<nil>\n"},
		{"both", &outlet.Printer{OnlyPayload: true, SkipUpdate: true}, "7\nx\nmap[a:<nil> b:1]\n<nil>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var w strings.Builder
			test.p.W = &w
			require.NoError(t, test.p.Push(t.Context(), rs, u))
			assert.Equal(t, test.want, w.String())
		})
	}
}

// writer counts calls, which must not overlap, and fails if it has an error.
type writer struct {
	bytes.Buffer
	calls int
	err   error
}

func (w *writer) Write(b []byte) (int, error) {
	w.calls++
	if w.err != nil {
		return 0, w.err
	}
	return w.Buffer.Write(b)
}

func TestPrintWritesOnce(t *testing.T) {
	w := new(writer)
	p := outlet.Print(w)
	require.NoError(t, p.Push(t.Context(), nil, record.Update{}))
	assert.Zero(t, w.calls, "nothing to write")
	require.NoError(t, p.Push(t.Context(), of(1, 2, 3), record.Update{}))
	assert.Equal(t, 1, w.calls)
	w.err = io.ErrShortWrite
	err := p.Push(t.Context(), of(4), record.Update{})
	assert.EqualError(t, err, "print: short write")
	assert.ErrorIs(t, err, io.ErrShortWrite)
	assert.Nil(t, record.AsPartial(err), "none is accepted")
}

func TestPrinterMayBeShared(t *testing.T) {
	w := new(writer)
	p := outlet.Print(w)
	const links, pushes = 4, 100
	var group sync.WaitGroup
	for i := range links {
		group.Go(func() {
			for range pushes {
				assert.NoError(t, p.Push(t.Context(), of("first", "second"), record.Update{Number: int64(i)}))
			}
		})
	}
	group.Wait()
	assert.Equal(t, links*pushes, w.calls)
	lines := strings.Split(w.String(), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		n := strings.Fields(lines[i])[0]
		assert.Equal(t, fmt.Sprintf("%s first\n%s second", n, n), lines[i]+"\n"+lines[i+1], "the lines of a push stay together")
	}
}

func TestPrintToStdout(t *testing.T) {
	stdout := os.Stdout
	r, w, err := os.Pipe()
	require.NoError(t, err)
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	var zero outlet.Printer
	require.NoError(t, zero.Push(t.Context(), of(1), record.Update{}))
	require.NoError(t, outlet.Print(nil).Push(t.Context(), of(2), record.Update{}))
	require.NoError(t, w.Close())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "0 1\n0 2\n", string(got))
}
