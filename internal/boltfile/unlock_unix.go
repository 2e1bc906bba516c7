//go:build unix

package boltfile

import (
	"os"
	"syscall"
)

// unlock ends the lock on a file. Closing it is not enough while it is mapped to
// memory.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) } // it fails if f is closed, which will do, too
