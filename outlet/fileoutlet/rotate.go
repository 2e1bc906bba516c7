package fileoutlet

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/databay-go/databay/outlet/internal/appendfile"
)

// rotate renames a file, which is closed by that, and removes the oldest ones of
// those renamed before.
func (o *Outlet) rotate(f *appendfile.File[contents]) error {
	path := appendfile.Resolved(f.Path())
	numbers, err := rotated(path)
	if err != nil {
		return err
	}
	next := 1
	if n := len(numbers); n > 0 {
		next = numbers[n-1] + 1
	}
	if next > maxNumber {
		return fmt.Errorf("no number is left after that of %s", numbered(path, maxNumber))
	}
	o.files.Open.Forget(f.Path())
	if err := os.Rename(path, numbered(path, next)); err != nil {
		return err
	}
	if o.opts.Sync != SyncNever {
		if err := appendfile.SyncFolder(filepath.Dir(path)); err != nil {
			return err
		}
	}
	if keep := o.opts.Rotate.Keep; keep > 0 {
		numbers = append(numbers, next)
		for _, n := range numbers[:max(len(numbers)-keep, 0)] {
			if err := os.Remove(numbered(path, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
				o.files.Open.Late(fmt.Errorf("fileoutlet: removing a file that was rotated: %w", err))
			}
		}
	}
	return nil
}

const (
	digits    = 6 // of the numbers, or more
	maxNumber = math.MaxInt32
)

func numbered(path string, n int) string { return fmt.Sprintf("%s.%0*d", path, digits, n) }

// rotated returns the numbers of the renamed files of path, in ascending order.
func rotated(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if !ok || len(suffix) < digits {
			continue
		}
		if n, err := strconv.Atoi(suffix); err == nil && n <= maxNumber && numbered(path, n) == path+"."+suffix {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
