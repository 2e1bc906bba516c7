package fileinlet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sibling is a file in the folder of the path.
type sibling struct {
	path    string
	name    string
	info    os.FileInfo
	related bool // its name begins like that of the path, and it is not compressed
}

// errMoving means that files are renamed all the time.
var errMoving = errors.New("the files beside it are renamed all the time")

// tries is how often files are looked at again that were renamed meanwhile.
const tries = 100

// siblings returns the regular files in the folder of the path, and in that where
// the path leads to, but for the one it leads to: those that are related, or all. A
// folder that may not be read has none.
func (in *Inlet) siblings(ctx context.Context, all bool) ([]sibling, error) {
	// A folder that is read while files are renamed may show them twice or not at
	// all. Two looks that are equal, in what is related, are taken for the truth.
	var before []sibling
	for n := range tries {
		found, err := in.list(all)
		if err != nil {
			return nil, err
		}
		now := slices.DeleteFunc(slices.Clone(found), func(s sibling) bool { return !s.related })
		if n > 0 && slices.EqualFunc(before, now, func(a, b sibling) bool { return a.path == b.path && os.SameFile(a.info, b.info) }) {
			return found, nil
		}
		before = now
		if n > 0 && !pause(ctx) {
			return nil, ended(ctx)
		}
	}
	return nil, fmt.Errorf("%s: %w", in.path, errMoving)
}

// pause waits for a moment. It reports whether the context lasts.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// list is one look at the siblings.
func (in *Inlet) list(all bool) ([]sibling, error) {
	if path, err := filepath.EvalSymlinks(in.path); err == nil {
		in.real = path
	}
	live, err := os.Stat(in.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	stem, _ := in.stem()
	var found []sibling
	for _, folder := range slices.Compact([]string{filepath.Dir(in.real), filepath.Dir(in.path)}) {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			name := e.Name()
			related := strings.HasPrefix(name, stem) && !compressed(name)
			if !e.Type().IsRegular() || !related && !all {
				continue
			}
			info, err := e.Info()
			if err != nil || live != nil && os.SameFile(live, info) {
				continue // it is gone meanwhile, or no sibling
			}
			found = append(found, sibling{path: filepath.Join(folder, name), name: name, info: info, related: related})
		}
	}
	return found, nil
}

// openSibling opens a file that was listed. It is nil if another one has its name
// now.
func (in *Inlet) openSibling(s sibling) (*cursor, error) {
	c, err := in.openCursor(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !os.SameFile(c.info, s.info) {
		c.close()
		return nil, nil
	}
	return c, err
}

// stem returns the name that the path leads to without its extension, and that.
func (in *Inlet) stem() (stem, ext string) {
	name := filepath.Base(in.real)
	ext = filepath.Ext(name)
	if ext == name { // .profile
		return name, ""
	}
	return strings.TrimSuffix(name, ext), ext
}

func compressed(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".z", ".br":
		return true
	}
	return false
}

// isStamp reports whether s is what is added to the name of a file that is rotated: a
// number or a date, after a separator.
func isStamp(s string) bool {
	return len(s) > 1 && strings.ContainsRune("-._", rune(s[0])) && '0' <= s[1] && s[1] <= '9' && strings.Trim(s, "-._:+0123456789TZ") == ""
}

// isRotated reports whether a name is that of the path with a number or a date
// behind it, or a date before its extension.
func (in *Inlet) isRotated(name string) bool {
	const date = 8 // digits
	base := filepath.Base(in.real)
	if added, ok := strings.CutPrefix(name, base); ok {
		return isStamp(added)
	}
	stem, ext := in.stem()
	added, ok := strings.CutPrefix(name, stem)
	if ok && ext != "" {
		added, ok = strings.CutSuffix(added, ext)
	}
	digits := 0
	for _, r := range added {
		if '0' <= r && r <= '9' {
			digits++
		}
	}
	return ok && digits >= date && isStamp(added)
}

// successor returns the oldest of the files that are newer than that of c and have
// something in them, or nil if there is none.
func (in *Inlet) successor(ctx context.Context, c *cursor) (*sibling, error) {
	live, err := os.Stat(in.path)
	if errors.Is(err, os.ErrNotExist) {
		live, err = nil, nil
	}
	if err != nil || live != nil && c.file != nil && os.SameFile(live, c.info) {
		return nil, err
	}
	if !in.gzipped && c.Modified != math.MaxInt64 {
		newer, err := in.newer(ctx, c)
		if err != nil || newer != nil {
			return newer, err
		}
	}
	if live == nil || live.Size() == 0 {
		return nil, nil
	}
	if copying, err := in.beingCopied(c); copying || err != nil {
		return nil, err
	}
	return &sibling{path: in.path, info: live}, nil
}

// beingCopied reports whether the file of c looks like a copy that was made just now
// of the file of the path, which has to be truncated yet: that begins with all that the
// copy has. What is written to it until then belongs to the copy.
func (in *Inlet) beingCopied(c *cursor) (bool, error) {
	const pending = 2 * time.Second // between a step of copying and the next, or the truncation
	if c.file == nil || c.end() == 0 || in.gzipped {
		return false, nil
	}
	own, err := c.file.Stat()
	if err != nil || time.Since(own.ModTime()) > pending {
		return false, err
	}
	live, err := in.openCursor(in.path)
	if err != nil {
		return false, nil // moving there finds out what is wrong
	}
	defer live.close()
	return c.isIn(live.file)
}

// newer returns the oldest of the rotated files that are newer than that of c.
func (in *Inlet) newer(ctx context.Context, c *cursor) (*sibling, error) {
	siblings, err := in.siblings(ctx, false)
	if err != nil {
		return nil, err
	}
	own := sibling{}
	modified := c.Modified
	if c.file != nil {
		if own.info, err = c.file.Stat(); err != nil {
			return nil, err
		}
		if c.end() > 0 { // else it may have been emptied since then, and its copies are newer
			modified = own.info.ModTime().UnixNano()
		}
	}
	var found *sibling
	for _, s := range siblings {
		if own.info != nil && os.SameFile(own.info, s.info) {
			own.name = s.name
		}
	}
	for _, s := range siblings {
		at := s.info.ModTime().UnixNano()
		switch {
		case s.info.Size() == 0 || !in.isRotated(s.name):
		case own.info != nil && os.SameFile(own.info, s.info):
		case at < modified || at == modified && own.name != "" && !older(own.name, s.name):
		case found == nil || s.before(found):
			found = &s
		}
	}
	return found, nil
}

// overtaken reports whether a file of which nothing was read has been copied since
// then, and emptied: there are rotated files that were written later than the place
// of c, and earlier than its file.
func (in *Inlet) overtaken(ctx context.Context, c *cursor) (bool, error) {
	siblings, err := in.siblings(ctx, false)
	if err != nil {
		return false, err
	}
	var own *sibling
	if i := slices.IndexFunc(siblings, func(s sibling) bool { return os.SameFile(s.info, c.info) }); i >= 0 {
		own = &siblings[i]
	} else if live, err := os.Stat(in.path); err != nil || !os.SameFile(live, c.info) {
		return false, nil // it was removed
	}
	return slices.ContainsFunc(siblings, func(s sibling) bool {
		return s.info.Size() > 0 && s.info.ModTime().UnixNano() > c.Modified && in.isRotated(s.name) &&
			(own == nil || !os.SameFile(own.info, s.info) && s.before(own))
	}), nil
}

// before reports whether s was finished before t.
func (s *sibling) before(t *sibling) bool {
	if a, b := s.info.ModTime(), t.info.ModTime(); !a.Equal(b) {
		return a.Before(b)
	}
	return older(s.name, t.name)
}

// older reports whether of two files written at the same time the one with the name
// a is older: numbers count down to the present, dates up to it.
func older(a, b string) bool {
	const most = 5 // digits of a number, and less than those of a date
	x, y := filepath.Ext(a), filepath.Ext(b)
	if max(len(x), len(y)) <= 1+most {
		i, wrong := strconv.Atoi(strings.TrimPrefix(x, "."))
		j, also := strconv.Atoi(strings.TrimPrefix(y, "."))
		if wrong == nil && also == nil {
			return i > j
		}
	}
	return a < b
}

// newestFirst returns the siblings in the reverse order of their last writing.
func newestFirst(siblings []sibling) []sibling {
	return slices.SortedStableFunc(slices.Values(siblings), func(a, b sibling) int {
		return b.info.ModTime().Compare(a.info.ModTime())
	})
}
