package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// Postgres starts a PostgreSQL server and returns the address of an empty database.
// The server ends with the test.
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	d := NewPostgres(t)
	d.Start(t)
	return d.DSN
}

// NewPostgres makes the files of a PostgreSQL server. Nothing runs.
func NewPostgres(t testing.TB) *Database {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		t.Fatalf("PostgreSQL is not installed, want it under /usr/lib/postgresql (apt-get install postgresql)")
	}
	bin := slices.Max(found)
	folder := ownFolder(t)
	d := newDatabase(t)
	d.DSN = fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", d.addr)
	run(t, asUser("postgres", filepath.Join(bin, "initdb"), "-D", folder, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"))
	d.command = func() *exec.Cmd {
		return asUser("postgres", filepath.Join(bin, "postgres"), "-D", folder, "-c", "listen_addresses=127.0.0.1",
			"-p", strconv.Itoa(d.port), "-c", "unix_socket_directories=", "-c", "wal_level=logical")
	}
	d.ready = func(ctx context.Context) error {
		return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(d.port)).Run()
	}
	return d
}

// Database is a database server whose files outlive its process.
type Database struct {
	// DSN is the address, as the driver takes it. It stays the same.
	DSN string

	addr    string
	port    int
	command func() *exec.Cmd
	ready   func(context.Context) error
	server  *Server
}

func newDatabase(t testing.TB) *Database {
	t.Helper()
	d := new(Database)
	d.addr, d.port = Addr(t)
	return d
}

// Start starts the server and waits until it answers. It ends with the test.
func (d *Database) Start(t testing.TB) {
	t.Helper()
	d.server = Start(t, d.command(), d.ready)
}

// Kill ends the server with SIGKILL. Start starts it again on the same files.
func (d *Database) Kill() { d.server.Kill() }

// ownFolder makes a folder that any user may write to, and that has none of the
// test's folders above it, which are root's.
func ownFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "databay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "data")
}

// asUser returns a command that runs as a user of the system, if this is root, which
// servers refuse to be.
func asUser(user, name string, args ...string) *exec.Cmd {
	if os.Geteuid() != 0 {
		return exec.Command(name, args...)
	}
	return exec.Command("setpriv", slices.Concat([]string{"--reuid=" + user, "--regid=" + user, "--clear-groups", "--", name}, args)...)
}

// run runs a command that is to succeed.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	cmd.Dir = os.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, errors.Join(err, cmd.Err), out)
	}
}
