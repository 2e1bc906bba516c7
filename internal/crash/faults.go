package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"github.com/databay-go/databay/internal/testserver"
)

// missing says that a scenario is passed over because of err: a server is not there.
// In CI it has to be.
func missing(err error) error {
	if err != nil && os.Getenv("CI") != "true" {
		return skipped{err}
	}
	return err
}

// withFullDisk keeps what survives on a small disk, which is full for a while.
func withFullDisk(s scenario) scenario {
	prepare := s.prepare
	s.name += "-full-disk"
	s.prepare = func(ctx context.Context, p *testserver.Program, at *place) error {
		disk := filepath.Join(at.folder, "disk")
		if err := os.Mkdir(disk, 0o700); err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk).CombinedOutput(); err != nil {
			return skipped{fmt.Errorf("mounting a tmpfs needs Linux, and root with CAP_SYS_ADMIN: %w: %s", err, out)}
		}
		p.Cleanup(func() {
			if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
				p.Error(fmt.Sprintf("umount %s: %v: %s", disk, err, out))
			}
		})
		at.folder = disk
		filler := filepath.Join(disk, "filler")
		at.fault = &fault{
			begin: func() error {
				if err := os.WriteFile(filler, make([]byte, 16<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
					return fmt.Errorf("the disk is not full: %w", err)
				}
				return nil
			},
			end:  func() error { return os.Remove(filler) },
			says: regexp.MustCompile(`no space left on device|disk is full`),
		}
		if prepare == nil {
			return nil
		}
		return prepare(ctx, p, at)
	}
	return s
}

// nobody is a user without rights.
const nobody = 65534

// withReadOnlyStore makes the child process another user, to whom the store does not
// belong for a while.
func withReadOnlyStore(s scenario) scenario {
	s.name += "-read-only-store"
	s.prepare = func(_ context.Context, _ *testserver.Program, at *place) error {
		if os.Geteuid() != 0 {
			return skipped{errors.New("to become another user needs root")}
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(self)
		if err != nil {
			return err
		}
		copied := filepath.Join(at.folder, "program") // which others may read
		err = errors.Join(os.WriteFile(copied, text, 0o755), os.Chmod(at.folder, 0o755), os.Chown(at.folder, nobody, nobody))
		user := strconv.Itoa(nobody)
		at.program = []string{"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--", copied}
		file := boltFile(*at)
		at.fault = &fault{
			before: true,
			begin:  func() error { return errors.Join(os.Chown(file, 0, 0), os.Chmod(file, 0o444)) },
			end:    func() error { return errors.Join(os.Chown(file, nobody, nobody), os.Chmod(file, 0o600)) },
			says:   regexp.MustCompile(`state\.db.*permission denied`),
		}
		return err
	}
	return s
}
