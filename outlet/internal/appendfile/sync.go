package appendfile

import (
	"errors"
	"os"
	"runtime"
	"time"
)

// Repeat calls f each time that a duration has passed, on a goroutine of its own, until
// stop is called, which waits for the last call.
func Repeat(every time.Duration, f func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	ticker := time.NewTicker(every)
	go func() {
		defer close(done)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				f()
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// SyncFolder has the system write to the disk which files are in a folder.
func SyncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // it knows no such thing
	}
	handle, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
