package fileoutlet

import (
	"cmp"
	"errors"
	"os"
	"runtime"
	"time"
)

// syncer is the goroutine of SyncInterval.
type syncer struct {
	quit chan struct{}
	done chan struct{}
}

func (o *Outlet) startSyncer() *syncer {
	s := &syncer{quit: make(chan struct{}), done: make(chan struct{})}
	ticker := time.NewTicker(cmp.Or(o.opts.SyncEvery, defaultSyncEvery))
	go func() {
		defer close(s.done)
		defer ticker.Stop()
		for {
			select {
			case <-s.quit:
				return
			case <-ticker.C:
				o.mu.Lock()
				o.files.Sync()
				o.mu.Unlock()
			}
		}
	}()
	return s
}

func (s *syncer) stop() {
	close(s.quit)
	<-s.done
}

// syncFolder has the system write to the disk which files are in a folder.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // it knows no such thing
	}
	handle, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
