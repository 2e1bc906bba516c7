package testserver

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// MariaDB starts a MariaDB server and returns the address of an empty database, as
// github.com/go-sql-driver/mysql takes it. The server ends with the test.
func MariaDB(t testing.TB) (dsn string) {
	t.Helper()
	d := NewMariaDB(t)
	d.Start(t)
	return d.DSN
}

// NewMariaDB makes the files of a MariaDB server. Nothing runs.
func NewMariaDB(t testing.TB) *Database {
	t.Helper()
	server, err := exec.LookPath("mariadbd")
	if err != nil {
		server, err = exec.LookPath("/usr/sbin/mariadbd")
	}
	if err != nil {
		t.Fatalf("MariaDB is not installed: %v (apt-get install mariadb-server)", err)
	}
	folder := ownFolder(t)
	d := newDatabase(t)
	d.DSN = fmt.Sprintf("root@tcp(%s)/databay", d.addr)
	run(t, asUser("mysql", "mariadb-install-db", "--no-defaults", "--datadir="+folder, "--auth-root-authentication-method=normal", "--skip-test-db"))
	run(t, asUser("mysql", "mkdir", filepath.Join(folder, "databay"))) // which makes a database of that name
	d.command = func() *exec.Cmd {
		return asUser("mysql", server, "--no-defaults", "--datadir="+folder, "--bind-address=127.0.0.1",
			"--port="+strconv.Itoa(d.port), "--socket="+filepath.Join(filepath.Dir(folder), "s"))
	}
	d.ready = Dial(d.addr)
	return d
}
