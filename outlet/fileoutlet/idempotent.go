package fileoutlet

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/databay-go/databay/outlet/internal/appendfile"
	"github.com/databay-go/databay/record"
)

// JSONWithID is an [Encoder] of an object with the ID and the payload of a record,
// in one line: {"id":"…","payload":…}. [IDInJSON] finds the ID.
func JSONWithID(buf []byte, r record.Record) ([]byte, error) {
	r.Payload = struct {
		ID      string `json:"id"`
		Payload any    `json:"payload"`
	}{r.ID(), r.Payload}
	return JSON(buf, r)
}

// IDInJSON returns the text that a line has under the key "id", for
// [Options].IDOf. Of a line that is no such object it is empty.
func IDInJSON(line []byte) string {
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(line, &object) != nil {
		return ""
	}
	return object.ID
}

// idBeforeTab is the IDOf of lines that begin with the ID.
func idBeforeTab(line []byte) string {
	id, _, ok := bytes.Cut(line, []byte{'\t'})
	if !ok {
		return ""
	}
	return string(id)
}

// recent is the IDs of the records that were written last, as many as most.
type recent struct {
	most  int
	known map[string]bool
	order []string // in which they were written, as a ring
	next  int      // where the ring goes on once it is full
}

func newRecent(most int) *recent { return &recent{most: most, known: make(map[string]bool)} }

func (r *recent) has(id string) bool { return r.known[id] }

// add takes the ID of a record that is written after all others.
func (r *recent) add(id string) {
	if id == "" || r.known[id] {
		return
	}
	r.known[id] = true
	if len(r.order) < r.most {
		r.order = append(r.order, id)
		return
	}
	delete(r.known, r.order[r.next])
	r.order[r.next] = id
	r.next = (r.next + 1) % r.most
}

// recall makes a file ready that was not written to yet: an unfinished last line is
// cut off, for its record is offered again, and the IDs of the last lines are read.
func (a *appending) recall() error {
	if a.f.State.recent != nil {
		return nil
	}
	path := appendfile.Resolved(a.Path)
	finished, err := finishedBytes(path)
	if err != nil {
		return err
	}
	if torn := a.f.Size() - finished; torn > 0 {
		if err := a.f.Shorten(torn); err != nil {
			return fmt.Errorf("cannot cut off an unfinished line: %w", err)
		}
	}
	known, err := a.o.lastIDs(path)
	if err == nil && a.o.opts.Sync != SyncNever {
		// What is not written again is not synced again, and a process may have ended
		// before it was.
		err = errors.Join(a.f.SyncAll(), appendfile.SyncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return err
	}
	a.f.State.recent = known
	return nil
}

// lastIDs returns the IDs in the last lines of a file, and of those that it was
// renamed to if there are not enough in it.
func (o *Outlet) lastIDs(path string) (*recent, error) {
	most := cmp.Or(o.opts.Window, defaultWindow)
	files := []string{path} // the newest first
	if o.opts.Rotate != (Rotate{}) {
		numbers, err := rotated(path)
		if err != nil {
			return nil, err
		}
		for _, n := range slices.Backward(numbers) {
			files = append(files, numbered(path, n))
		}
	}
	var all [][]string
	for missing := most; missing > 0 && len(files) > 0; files = files[1:] {
		ids, err := o.idsIn(files[0], missing)
		if err != nil {
			return nil, err
		}
		all = append(all, ids)
		missing -= len(ids)
	}
	known := newRecent(most)
	for _, ids := range slices.Backward(all) {
		for _, id := range ids {
			known.add(id)
		}
	}
	return known, nil
}

// finishedBytes returns how many bytes a file has up to the end of its last line
// that has one.
func finishedBytes(path string) (int64, error) {
	var at int64
	err := backward(path, func(chunk []byte, offset int64) bool {
		i := bytes.LastIndexByte(chunk, '\n')
		at = offset + int64(i) + 1
		return i < 0 && offset > 0
	})
	return at, err
}

// idsIn returns the IDs in the last lines of a file, as many as most, in their
// order; empty ones of lines without. A file that is not there has none.
func (o *Outlet) idsIn(path string, most int) ([]string, error) {
	var from int64
	lines := 0
	err := backward(path, func(chunk []byte, offset int64) bool {
		for {
			i := bytes.LastIndexByte(chunk, '\n')
			if i < 0 {
				return true
			}
			if lines++; lines > most {
				from = offset + int64(i) + 1
				return false
			}
			chunk = chunk[:i]
		}
	})
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	var ids []string
	for r := bufio.NewReaderSize(file, 64<<10); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		line = line[:len(line)-1]
		if o.opts.CRLF {
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		ids = append(ids, o.opts.IDOf(line))
	}
}

// backward calls more with the parts of a file from the last to the first, until it
// returns false. A file that is not there has none.
func backward(path string, more func(chunk []byte, offset int64) bool) (err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for b := make([]byte, 64<<10); end > 0; {
		chunk := b[:min(end, int64(len(b)))]
		end -= int64(len(chunk))
		if _, err := file.ReadAt(chunk, end); err != nil {
			return err
		}
		if !more(chunk, end) {
			return nil
		}
	}
	return nil
}

// withID appends what a line of an idempotent outlet has before its text, and
// checks that the record's ID will be found in it.
func (o *Outlet) withID(dst, text []byte, id string) ([]byte, error) {
	switch {
	case bytes.IndexByte(text, '\n') >= 0:
		return dst, errors.New("the text has a line break, want one line a record in an idempotent outlet, as JSON makes it")
	case !o.tabbed:
		if found := o.opts.IDOf(text); found != id {
			return dst, fmt.Errorf("the record has the ID %.100q, but IDOf finds %.100q in its line", id, found)
		}
		return dst, nil
	case strings.ContainsAny(id, "\t\n"):
		return dst, fmt.Errorf("the ID %.100q has a tab or a line break, want Options.IDOf and an Encode that quotes it", id)
	}
	return append(append(dst, id...), '\t'), nil
}
