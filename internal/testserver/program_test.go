package testserver_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
)

// A program gets as an error what ends a test, and has nothing left after Close.
func TestProgram(t *testing.T) {
	t.Parallel()
	p := testserver.NewProgram(t.Context())
	var folder string
	require.NoError(t, p.Do(func() { folder = p.TempDir() }))
	require.DirExists(t, folder)

	err := p.Do(func() {
		testserver.Start(p, exec.Command(os.Args[0], "-test.run=^$"), testserver.Dial("127.0.0.1:1"))
		t.Error("it went on")
	})
	require.ErrorContains(t, err, "ended before it was ready")
	require.ErrorContains(t, p.Do(func() { p.Skipf("not %s", "here") }), "not here")
	require.PanicsWithValue(t, 5, func() { _ = p.Do(func() { panic(5) }) })

	require.NoError(t, p.Close())
	require.NoDirExists(t, folder)
	p.Cleanup(func() { p.Error(errors.New("it stays")) })
	require.EqualError(t, p.Close(), "it stays")
}
