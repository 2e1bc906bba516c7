package sqlstate_test

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/sqlstate"
	"github.com/databay-go/databay/testkit"
)

// A database whose mount becomes read-only, as that of a disk with errors does, fails to
// write, keeps what it has, and goes on when it may be written again.
func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	inMount := func(t *testing.T) (*sqlstate.Store, string) {
		folder := t.TempDir()
		if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=16777216"); err != nil {
			t.Skipf("SKIPPED, read-only mounts are NOT tested: mounting a tmpfs needs root with CAP_SYS_ADMIN: %v", err)
		}
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, 0)) })
		db := connect(t, "sqlite", "file:"+filepath.Join(folder, "state.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)")
		db.SetMaxIdleConns(0) // or the mount is in use
		return sqlstate.New(db, sqlstate.SQLite, &sqlstate.Options{Create: true}), folder
	}
	remount := func(t *testing.T, folder, mode string) {
		out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,"+mode, folder).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	testkit.TestStore(t, func(t *testing.T) state.Store {
		s, _ := inMount(t)
		return s
	}, &testkit.StoreOptions{
		MaxKey: sqlstate.MaxKey,
		Failing: func(t *testing.T) (s state.Store, fail, mend func()) {
			store, folder := inMount(t)
			return store, func() { remount(t, folder, "ro") }, func() { remount(t, folder, "rw") }
		},
	})
}
