package sqloutlet_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
)

// Rows that the child moves, and how many a transfer.
const (
	numbersInAll   = 10_000
	numbersPerPull = 20
)

// A process that is killed at any moment, again and again, leaves every row once.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"position", "id"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)&_txlock=immediate"
			db, err := sql.Open("sqlite", dsn)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			execute(t, db, "CREATE TABLE t (n INTEGER, id TEXT UNIQUE)")
			killed(t, db, 20, "sqlite", dsn, mode)
		})
	}
}

// killed runs children that move numbers into the table t, kills each at a random
// moment, lets the last one end, and checks what is there.
func killed(t *testing.T, db *sql.DB, kills int, driver, dsn, mode string) {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	child := func(after int) (died bool) { // if after is 0, it may end
		cmd := exec.Command(binary, "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), "SQLOUTLET_CHILD="+driver, "SQLOUTLET_DSN="+dsn, "SQLOUTLET_MODE="+mode)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 1; lines.Scan(); n++ {
			if n == after {
				time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond))))
				_ = cmd.Process.Kill() // it may have ended
			}
		}
		return cmd.Wait() != nil
	}
	n, before := 0, 0
	for range kills {
		if child(1 + rand.IntN(20)) {
			n++
		}
	}
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM t").Scan(&before))
	require.NotZero(t, before, "it came to something between kills")
	require.Less(t, before, numbersInAll, "there is something left")
	// A server may commit what a killed child has sent after the next one has begun,
	// which is then fenced off and has to begin again.
	for range 10 {
		if !child(0) {
			break
		}
	}
	missing := numbersInAll - len(read(t, db, "SELECT DISTINCT n FROM t"))
	twice := read(t, db, "SELECT n FROM t GROUP BY n HAVING COUNT(*) > 1")
	t.Logf("kills %d (rows by then %d) missing %d twice %d", n, before, missing, len(twice))
	assert.Equal(t, kills, n)
	assert.Zero(t, missing)
	assert.Empty(t, twice)
}

// TestChild is the process that is killed.
func TestChild(t *testing.T) {
	driver := os.Getenv("SQLOUTLET_CHILD")
	if driver == "" {
		t.Skip("it is started by other tests")
	}
	db, err := sql.Open(driver, os.Getenv("SQLOUTLET_DSN"))
	require.NoError(t, err)
	dialect, err := sqloutlet.Auto.Resolve(db)
	require.NoError(t, err)
	store := newState(t, &database{dialect: dialect}, db)
	opts := &sqloutlet.Options{State: store}
	if os.Getenv("SQLOUTLET_MODE") == "id" {
		opts = &sqloutlet.Options{IDColumn: "id"}
	}
	last := 0
	numbers := inlet.Since("numbers", func(_ context.Context, after int) (rs []record.Record, next int, err error) {
		for n := after + 1; n <= min(after+numbersPerPull, numbersInAll); n++ {
			rs = append(rs, record.New(row{"n": n}).WithID(fmt.Sprint("numbers/", n)))
		}
		last = after + len(rs)
		return rs, last, nil
	})
	l, err := link.New(link.Config{Name: "numbers", Inlets: []inlet.Inlet{numbers}, Outlets: []outlet.Outlet{sqloutlet.New(db, "t", opts)}, State: store})
	require.NoError(t, err)
	fmt.Println("begins")
	require.NoError(t, l.Start(t.Context()))
	for last < numbersInAll {
		_, err := l.Transfer(t.Context(), link.Tick{})
		require.NoError(t, err)
		fmt.Println("transferred")
	}
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
}
