//go:build unix

package fileinlet

import (
	"os"
	"strconv"
	"syscall"
)

// inode returns what tells a file from all others of its folder, or "".
func inode(_ *os.File, info os.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(s.Ino, 10)
	}
	return ""
}

// open opens a file in a way that lets others rename and remove it.
func open(path string) (*os.File, error) { return os.Open(path) }
