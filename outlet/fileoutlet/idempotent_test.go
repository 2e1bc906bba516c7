package fileoutlet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// identified returns records with the given IDs, whose payloads are "p" and the ID.
func identified(ids ...string) []record.Record {
	var rs []record.Record
	for _, id := range ids {
		rs = append(rs, record.New("p"+id).WithID(id))
	}
	return rs
}

// What is in the file before the outlet starts, and after a push of the records a
// to d.
func TestIdempotent(t *testing.T) {
	t.Parallel()
	all := "a\tpa\nb\tpb\nc\tpc\nd\tpd\n"
	asJSON := func(r ...string) (text string) {
		for _, id := range r {
			text += fmt.Sprintf(`{"id":%q,"payload":"p%s"}`+"\n", id, id)
		}
		return text
	}
	jsonLines := fileoutlet.Options{Encode: fileoutlet.JSONWithID, IDOf: fileoutlet.IDInJSON}
	for name, test := range map[string]struct {
		opts         fileoutlet.Options
		before, want string
	}{
		"nothing":            {before: "", want: all},
		"some":               {before: "a\tpa\nb\tpb\n", want: all},
		"all":                {before: all, want: all},
		"another order":      {before: "c\tpc\na\tpa\n", want: "c\tpc\na\tpa\nb\tpb\nd\tpd\n"},
		"torn in the text":   {before: "a\tpa\nb\tp", want: all},
		"torn in the ID":     {before: "a\tpa\nb", want: all},
		"torn before \\n":    {before: "a\tpa\nb\tpb", want: all},
		"torn at once":       {before: "a", want: all},
		"torn, long":         {before: "a\tpa\nb\t" + strings.Repeat("x", 200_000), want: all},
		"foreign lines":      {before: "# log\n\na b\n\ta\n", want: "# log\n\na b\n\ta\n" + all},
		"CRLF":               {opts: fileoutlet.Options{CRLF: true}, before: "a\tpa\r\nb\tpb\r", want: "a\tpa\r\nb\tpb\r\nc\tpc\r\nd\tpd\r\n"},
		"beyond the window":  {opts: fileoutlet.Options{Window: 2}, before: "a\tpa\nb\tpb\nc\tpc\n", want: "a\tpa\nb\tpb\nc\tpc\n" + "a\tpa\nb\tpb\nc\tpc\nd\tpd\n"},
		"within the window":  {opts: fileoutlet.Options{Window: 3}, before: "a\tpa\nb\tpb\nc\tpc\n", want: all},
		"long lines":         {before: "a\t" + strings.Repeat("x", 200_000) + "\nb\tpb\n", want: "a\t" + strings.Repeat("x", 200_000) + "\nb\tpb\nc\tpc\nd\tpd\n"},
		"JSON":               {opts: jsonLines, before: asJSON("b", "a"), want: asJSON("b", "a", "c", "d")},
		"JSON, torn":         {opts: jsonLines, before: asJSON("a") + `{"id":"b"`, want: asJSON("a", "b", "c", "d")},
		"JSON, other things": {opts: jsonLines, before: "17\n[]\nx\n{\"id\":5}\n", want: "17\n[]\nx\n{\"id\":5}\n" + asJSON("a", "b", "c", "d")},
		"synced":             {opts: fileoutlet.Options{Sync: fileoutlet.SyncPush}, before: all, want: all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			write(t, file, test.before)
			test.opts.Idempotent = true
			o := started(t, file, &test.opts)
			assert.Equal(t, test.before, read(t, file), "a start changes nothing")
			push(t, o, identified("a", "b", "c", "d")...)
			assert.Equal(t, test.want, read(t, file))
			if test.opts.Window == 0 {
				push(t, o, identified("d", "a", "d")...)
				assert.Equal(t, test.want, read(t, file), "again, and twice in one push")
			}
		})
	}
}

func TestIdempotentTwiceInOnePush(t *testing.T) {
	t.Parallel()
	file := path(t)
	push(t, started(t, file, &fileoutlet.Options{Idempotent: true}), identified("a", "b", "a")...)
	assert.Equal(t, "a\tpa\nb\tpb\n", read(t, file))
}

// Files that were renamed count too, also if there is no new one yet.
func TestIdempotentRotated(t *testing.T) {
	t.Parallel()
	file := path(t)
	opts := &fileoutlet.Options{Idempotent: true, Rotate: fileoutlet.Rotate{Size: 10}}
	o := started(t, file, opts)
	push(t, o, identified("a", "b", "c", "d", "e")...)
	push(t, o, identified("a", "c", "f")...)
	want := []string{"a\tpa\nb\tpb\n", "c\tpc\nd\tpd\n", "e\tpe\nf\tpf\n"}
	texts := func() (all []string) {
		for _, f := range rotated(t, file) {
			all = append(all, read(t, f))
		}
		return all
	}
	assert.Equal(t, want, texts())
	push(t, started(t, file, opts), identified("a", "b", "c", "d", "e", "f")...)
	assert.Equal(t, want, texts())

	require.NoError(t, os.Rename(file, file+".000003")) // and then it was killed
	push(t, started(t, file, opts), identified("f", "d", "a", "g")...)
	assert.Equal(t, append(want, "g\tpg\n"), texts())

	opts.Window = 3
	push(t, started(t, file, opts), identified("e", "f", "g")...)
	assert.Equal(t, append(want, "g\tpg\n"), texts())
}

// Each file has its own IDs, also when it is closed and opened in between, and when
// somebody else has changed it.
func TestIdempotentFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	one, two := filepath.Join(folder, "one"), filepath.Join(folder, "two")
	o := started(t, one, &fileoutlet.Options{Idempotent: true, MaxOpen: 1})
	for range 2 {
		push(t, o, identified("a", "b")...)
		push(t, o, record.New("p", fileoutlet.File.Of(two)).WithID("a"))
	}
	assert.Equal(t, "a\tpa\nb\tpb\n", read(t, one))
	assert.Equal(t, "a\tp\n", read(t, two))
	write(t, two, "")
	push(t, o, record.New("p", fileoutlet.File.Of(two)).WithID("a"))
	assert.Equal(t, "a\tp\n", read(t, two))
}

func TestIdempotentRefuses(t *testing.T) {
	t.Parallel()
	inJSON := fileoutlet.Options{IDOf: fileoutlet.IDInJSON, Encode: fileoutlet.JSON}
	for name, test := range map[string]struct {
		opts fileoutlet.Options
		r    record.Record
		want string
	}{
		"no ID":                  {r: record.New("x"), want: "the record has no ID, want one in an idempotent outlet"},
		"several lines":          {r: record.New("x\ny").WithID("x"), want: "the text has a line break, want one line a record"},
		"tab in the ID":          {r: record.New("x").WithID("x\ty"), want: `the ID "x\ty" has a tab or a line break`},
		"line break in the ID":   {r: record.New("x").WithID("x\ny"), want: `the ID "x\ny" has a tab or a line break`},
		"another ID in the line": {inJSON, record.New(map[string]string{"id": "y"}).WithID("x"), `the record has the ID "x", but IDOf finds "y" in its line`},
		"none in the line":       {inJSON, record.New(5).WithID("x"), `but IDOf finds "" in its line`},
		"truncate":               {r: record.New("x", fileoutlet.Truncate.Of(true)).WithID("x"), want: "metadata fileoutlet.truncate is true, want false in an idempotent outlet"},
		"encoding":               {r: record.New("x", fileoutlet.Encoding.Of(charmap.ISO8859_1)).WithID("x"), want: "metadata fileoutlet.encoding is ISO 8859-1, want none in an idempotent outlet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			test.opts.Idempotent = true
			good := record.New(map[string]string{"id": "a"}).WithID("a")
			causes := failed(t, started(t, file, &test.opts), good, test.r, good)
			require.Len(t, causes, 1)
			require.ErrorContains(t, causes[1], test.want)
			assert.True(t, record.IsPermanent(causes[1]))
			assert.Len(t, lines(t, file), 1, "the others are written")
		})
	}
}

// asChild is set in the process that is killed: the folder it works in.
const asChild = "FILEOUTLET_TEST_CHILD"

// untilKilled writes numbered records, and notes from where to go on, until it is killed.
func untilKilled(t *testing.T, folder string, opts *fileoutlet.Options) {
	t.Helper()
	o := started(t, filepath.Join(folder, "sink"), opts)
	next := 0
	if text, err := os.ReadFile(filepath.Join(folder, "position")); err == nil {
		next, err = strconv.Atoi(string(text))
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		var rs []record.Record
		for range 1 + rand.IntN(200) {
			rs = append(rs, record.New(strings.Repeat("x", rand.IntN(100))).WithID(strconv.Itoa(next)))
			next++
		}
		push(t, o, rs...)
		write(t, filepath.Join(folder, "position.new"), strconv.Itoa(next))
		require.NoError(t, os.Rename(filepath.Join(folder, "position.new"), filepath.Join(folder, "position")))
	}
}

// A process that is killed again and again, and goes on from what it had noted last,
// writes every record once.
func TestKilled(t *testing.T) {
	opts := &fileoutlet.Options{Idempotent: true, Rotate: fileoutlet.Rotate{Size: 100_000}}
	if folder := os.Getenv(asChild); folder != "" {
		untilKilled(t, folder, opts)
		return
	}
	t.Parallel()
	folder := t.TempDir()
	sink, position := filepath.Join(folder, "sink"), filepath.Join(folder, "position")
	written := func() (n int) {
		for _, f := range rotated(t, sink) {
			text := read(t, f)
			if i := strings.LastIndexByte(text, '\n') + 1; i < len(text) {
				assert.Equal(t, sink, f, "only the newest may be unfinished")
			}
			for line := range strings.Lines(text) {
				if !strings.HasSuffix(line, "\n") {
					continue
				}
				id, _, _ := strings.Cut(line, "\t")
				require.Equal(t, strconv.Itoa(n), id, "the next record, once")
				n++
			}
		}
		return n
	}
	const kills = 15
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), asChild+"="+folder)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		require.NoError(t, cmd.Start())
		before := fileSize(sink)
		for end := time.Now().Add(20 * time.Second); fileSize(sink) == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		require.NoError(t, cmd.Process.Kill())
		require.ErrorContains(t, cmd.Wait(), "killed", "%s", &output)
		n := written()
		if rand.IntN(2) == 0 {
			write(t, position, strconv.Itoa(max(0, n-rand.IntN(500)))) // killed before it was noted
		}
		// A write that was cut short in the middle of a line.
		f, err := os.OpenFile(sink, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = f.WriteString(fmt.Sprintf("%d\txyz", n)[:1+rand.IntN(4)])
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	o := started(t, sink, opts)
	next := 0
	if fileSize(position) > 0 {
		var err error
		next, err = strconv.Atoi(read(t, position))
		require.NoError(t, err)
	}
	for i := range 1000 {
		push(t, o, record.New("").WithID(strconv.Itoa(next+i)))
	}
	assert.Equal(t, next+1000, written())
	t.Logf("%d records, %d kills", next+1000, kills)
}

// fileSize returns how many bytes a file has, or -1.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}
