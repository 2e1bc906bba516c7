package fileoutlet_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/fileoutlet"
)

// traced is set in the process whose system calls are traced.
const traced = "FILEOUTLET_TEST_TRACED"

// What is forced to the disk, and when, is seen by the system calls of a process.
func TestSync(t *testing.T) {
	policies := map[string]fileoutlet.Options{
		"never":    {},
		"push":     {Sync: fileoutlet.SyncPush},
		"interval": {Sync: fileoutlet.SyncInterval, SyncEvery: time.Hour},
		"often":    {Sync: fileoutlet.SyncInterval, SyncEvery: time.Millisecond},
		"rotate":   {Sync: fileoutlet.SyncPush, Rotate: fileoutlet.Rotate{Size: 1}},
		"replace":  {Sync: fileoutlet.SyncPush, Replace: true},
	}
	if policy, file, ok := strings.Cut(os.Getenv(traced), ":"); ok {
		opts := policies[policy]
		o := started(t, file, &opts)
		push(t, o, records("a")...)
		push(t, o, records("b")...)
		if policy == "often" {
			time.Sleep(300 * time.Millisecond)
			push(t, o, records("c")...)
		}
		return
	}
	for policy, want := range map[string]struct{ least, most, folder int }{
		"never":    {0, 0, 0},
		"push":     {2, 2, 1}, // the folder with the first line of a new file
		"interval": {1, 1, 0}, // at the end
		"often":    {2, 9, 0},
		"rotate":   {2, 2, 3}, // each new file, and the name that the old one gets
		"replace":  {0, 0, 2}, // the file has another name as yet
	} {
		around := t.TempDir()
		folder := filepath.Join(around, "new")
		file := filepath.Join(folder, "out.log")
		calls := synced(t, "TestSync", traced+"="+policy+":"+file)
		got := strings.Count(calls, "<"+file+">")
		assert.True(t, want.least <= got && got <= want.most, "%s: %d syncs:\n%s", policy, got, calls)
		assert.Equal(t, want.folder, strings.Count(calls, "<"+folder+">"), "%s:\n%s", policy, calls)
		assert.Equal(t, policy != "never", strings.Contains(calls, "<"+around+">"), "%s: the folder is new:\n%s", policy, calls)
	}
}

// synced runs a test of this program with a variable set, and returns the calls of fsync
// that it makes.
func synced(t *testing.T, test, variable string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-y", "-e", "trace=fsync", "-o", log, os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), variable)
	output, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) || strings.Contains(strings.ToLower(string(output)), "ptrace") {
		t.Skipf("SKIPPED, what is forced to the disk is NOT tested: strace: %v: %s", err, output)
	}
	require.NoError(t, err, "%s", output)
	return read(t, log)
}
