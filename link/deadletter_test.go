package link_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

type todo struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

// unmarshalable has no JSON.
type unmarshalable struct{ C chan int }

type panicker struct{}

func (panicker) MarshalJSON() ([]byte, error) { panic("no JSON") }

func letter(payload any, attrs ...record.Attr) link.DeadLetter {
	r := []record.Record{record.New(payload, attrs...).WithID("topic/3/42")}
	record.Stamp(r, &record.Origin{Inlet: "orders"})
	return link.DeadLetter{
		Time: time.Date(2026, 3, 1, 12, 0, 5, 250_000_000, time.UTC),
		Link: "shop", Lane: "warehouse", Stage: link.OpPush, Node: "mongo orders",
		Reasons:  []string{"insert: E11000 duplicate key", "E11000 duplicate key"},
		Attempts: 3, Number: 16, Due: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Reason: record.Forced,
		Record: r[0],
	}
}

// The encoded form is what programs have written to their files: it stays.
func TestDeadLetterGolden(t *testing.T) {
	t.Parallel()
	stage := letter(map[string]any{"price": 1.5, "name": "<&>"})
	stage.Lane, stage.Stage, stage.Node = "", link.OpProcess, "map(main.Todo)"
	stage.Record = record.New(stage.Record.Payload)
	letters := []link.DeadLetter{
		letter(todo{7, "buy \"milk\""}, record.Attr{Key: "csvoutlet.file", Value: "a.csv"}, record.Attr{Key: "partition", Value: 3}),
		stage,
		letter([]byte{0, 1, 0xff}),
		letter("not UTF-8: \xff"),
		letter(math.NaN(), record.Attr{Key: "channel", Value: unmarshalable{}}),
		letter(nil),
	}
	var b strings.Builder
	for _, d := range letters {
		line, err := json.Marshal(d)
		require.NoError(t, err)
		require.JSONEq(t, string(line), d.String())
		require.NotContains(t, d.String(), "\n")
		fmt.Fprintln(&b, d)
	}
	golden := filepath.Join("testdata", "deadletters.jsonl")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
	read, errs := readLetters(bytes.NewReader(want), link.DecodeAs[todo])
	assert.Len(t, read, 5)
	require.Len(t, errs, 1)
	assert.ErrorContains(t, errs[0], "line 5: the payload, a float64, is a text")
}

// read returns all letters and errors.
func readLetters(r io.Reader, decode link.Decode) (letters []link.DeadLetter, errs []error) {
	for d, err := range link.ReadDeadLetters(r, decode) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		letters = append(letters, d)
	}
	return letters, errs
}

func TestDeadLetterRoundTrip(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	for _, payload := range []any{
		nil, true, "text", "not UTF-8 \xff\x00", "", 7, int8(-8), int64(math.MaxInt64), uint64(math.MaxUint64), 1.0, float32(0.5), math.MaxFloat64,
		[]byte("bytes"), json.RawMessage(`{"a":[1,2]}`), when, time.Minute,
		map[string]any{"a": []any{1.0, "b", nil}}, []any{map[string]any{}}, []string{"a"}, map[string]string{"k": "v"},
		todo{1, "line\nline"},
	} {
		d := letter(payload, record.Attr{Key: "z", Value: "last?"}, record.Attr{Key: "a", Value: 1}, record.Attr{Key: "f", Value: 1.5}, record.Attr{Key: "n", Value: nil}, record.Attr{Key: "b", Value: true},
			record.Attr{Key: "raw", Value: "\x00\xff"}, record.Attr{Key: "map", Value: map[string]any{"base64": "AA==", "c": "d"}})
		letters, errs := readLetters(strings.NewReader(d.String()+"\n"), link.DecodeAs[todo])
		require.Empty(t, errs, "%#v", payload)
		require.Len(t, letters, 1)
		got := letters[0]
		assert.Equal(t, payload, got.Record.Payload)
		assert.Equal(t, d.Record.ID(), got.Record.ID())
		assert.Equal(t, d.Record.Inlet(), got.Record.Inlet())
		assert.Equal(t, d.Record.Metadata.String(), got.Record.Metadata.String(), "with its order")
		assert.Equal(t, d.String(), got.String())
		got.Record, d.Record = record.Record{}, record.Record{}
		assert.Equal(t, d, got)
	}
	raw := link.DeadLetter{Reasons: []string{}, Record: record.New("x").WithID("key \xff\x00")}
	assert.NotContains(t, raw.String(), `"id"`)
	letters, errs := readLetters(strings.NewReader(raw.String()), nil)
	require.Empty(t, errs)
	assert.Equal(t, []link.DeadLetter{raw}, letters, "also with an ID that is not UTF-8")
	bare := link.DeadLetter{Reasons: []string{}, Record: record.New("x")}
	letters, errs = readLetters(strings.NewReader(bare.String()), nil)
	require.Empty(t, errs)
	assert.Equal(t, []link.DeadLetter{bare}, letters)
}

// What JSON does not restore by itself is what decode makes of it.
func TestDeadLetterDecode(t *testing.T) {
	t.Parallel()
	line := letter(todo{7, "x"}).String()
	letters, errs := readLetters(strings.NewReader(line), nil)
	require.Empty(t, errs)
	assert.Equal(t, map[string]any{"id": 7.0, "text": "x"}, letters[0].Record.Payload)

	letters, _ = readLetters(strings.NewReader(line), func(typ string, text []byte) (any, error) { return typ + string(text), nil })
	assert.Equal(t, `link_test.todo{"id":7,"text":"x"}`, letters[0].Record.Payload)

	for _, decode := range []link.Decode{
		func(string, []byte) (any, error) { return nil, errDown },
		func(string, []byte) (any, error) { panic(errDown) },
	} {
		_, errs = readLetters(strings.NewReader(line), decode)
		require.Len(t, errs, 1)
		assert.ErrorIs(t, errs[0], errDown)
	}
	_, errs = readLetters(strings.NewReader(letter(todo{}).String()), link.DecodeAs[int])
	require.Len(t, errs, 1)
	assert.ErrorContains(t, errs[0], "line 1: payload")
}

func TestDeadLetterWithoutJSON(t *testing.T) {
	t.Parallel()
	for _, payload := range []any{unmarshalable{}, panicker{}, math.Inf(1), func() {}} {
		_, errs := readLetters(strings.NewReader(letter(payload).String()), nil)
		require.Len(t, errs, 1)
		assert.ErrorContains(t, errs[0], "cannot be restored")
		assert.ErrorContains(t, errs[0], fmt.Sprintf("%T", payload))
	}
}

// Each line stands for itself, so that a torn one costs nothing else.
func TestReadDeadLettersErrors(t *testing.T) {
	t.Parallel()
	good := letter("good").String()
	change := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	tests := map[string]struct{ line, contains string }{
		"torn":             {good[:len(good)/2], "unexpected end"},
		"another object":   {`{"a":1}`, "version is 0, want 1"},
		"a later version":  {change(`"version":1`, `"version":2`), "version is 2, want 1"},
		"unknown reason":   {change(`"forced"`, `"bored"`), `reason is "bored"`},
		"unknown encoding": {change(`"json"`, `"yaml"`), `encoding is "yaml"`},
		"wrong base64":     {change(`"json","payload":"good"`, `"base64","payload":"?"`), "payload"},
		"wrong payload":    {change(`"payload":"good"`, `"payload":5`), "payload"},
		"no payload":       {change(`,"payload":"good"`, ``), "payload is absent"},
		"metadata":         {change(`}`, `,"metadata":[1]}`), "metadata"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			letters, errs := readLetters(strings.NewReader(good+"\n\n"+tt.line+"\r\n"+good), nil)
			assert.Len(t, letters, 2)
			require.Len(t, errs, 1)
			assert.ErrorContains(t, errs[0], "line 3: ")
			assert.ErrorContains(t, errs[0], tt.contains)
		})
	}
	letters, errs := readLetters(io.MultiReader(strings.NewReader(good+"\n"), iotest.ErrReader(errDown)), nil)
	assert.Len(t, letters, 1)
	require.Len(t, errs, 1)
	assert.ErrorIs(t, errs[0], errDown)
	for range link.ReadDeadLetters(strings.NewReader(good+"\n"+good), nil) {
		break // it is a good iterator
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	root := errors.New("no route")
	tests := map[string]struct {
		err  error
		want []string
	}{
		"plain":     {root, []string{"no route"}},
		"wrapped":   {fmt.Errorf("dial: %w", root), []string{"dial: no route", "no route"}},
		"permanent": {fmt.Errorf("insert: %w", record.Permanent(root)), []string{"insert: no route", "no route"}},
		"joined":    {fmt.Errorf("both: %w", errors.Join(nil, root, errDown)), []string{"both: no route\n503", "no route\n503", "no route"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, link.Reasons(tt.err))
		})
	}
}

func FuzzReadDeadLetters(f *testing.F) {
	f.Add([]byte(letter(todo{1, "a"}, record.Attr{Key: "k", Value: 1}).String()))
	f.Add([]byte(letter("\xff").String() + "\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for d, err := range link.ReadDeadLetters(bytes.NewReader(text), nil) {
			if err != nil {
				continue
			}
			again, errs := readLetters(strings.NewReader(d.String()), nil)
			require.Empty(t, errs)
			require.Len(t, again, 1)
			require.Equal(t, d.String(), again[0].String())
		}
	})
}
