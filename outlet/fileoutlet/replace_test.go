package fileoutlet_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// version returns records that are whole only together: "n of 5000" and as many lines
// of n.
func version(n int) []record.Record {
	rs := records(fmt.Sprintf("%d of 5000", n))
	for range 5000 {
		rs = append(rs, record.New(strings.Repeat(strconv.Itoa(n%10), 40)))
	}
	return rs
}

// whole returns the number of the version that a text is, which must be whole.
func whole(t *testing.T, text string) (n int) {
	t.Helper()
	head, rest, _ := strings.Cut(text, "\n")
	_, err := fmt.Sscanf(head, "%d of 5000", &n)
	require.NoError(t, err, "%.100q", text)
	require.Equal(t, strings.Repeat(strings.Repeat(strconv.Itoa(n%10), 40)+"\n", 5000), rest, "version %d is whole", n)
	return n
}

func TestReplace(t *testing.T) {
	t.Parallel()
	for _, sync := range []fileoutlet.Sync{fileoutlet.SyncNever, fileoutlet.SyncPush} {
		folder := t.TempDir()
		one, two := filepath.Join(folder, "one"), filepath.Join(folder, "two")
		write(t, filepath.Join(folder, ".one.tmp"), "left by a crash")
		o := started(t, one, &fileoutlet.Options{Replace: true, Sync: sync})
		push(t, o, record.New("a"), record.New("b", fileoutlet.File.Of(two)), record.New("c"))
		assert.Equal(t, "a\nc\n", read(t, one))
		assert.Equal(t, "b\n", read(t, two))
		push(t, o, record.New("d", fileoutlet.Truncate.Of(true)))
		assert.Equal(t, "d\n", read(t, one))
		assert.Equal(t, "b\n", read(t, two))
		assert.Equal(t, []string{"one", "two"}, names(t, folder))
	}
}

// Who reads meanwhile sees one version or another, and never a part.
func TestReadersSeeWholeFiles(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, &fileoutlet.Options{Replace: true})
	push(t, o, version(0)...)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		defer close(stop)
		for n := range 50 {
			assert.NoError(t, o.Push(t.Context(), version(n), record.Update{}))
		}
	})
	last, reads := 0, 0
	for done := false; !done; reads++ {
		select {
		case <-stop:
			done = true
		default:
		}
		n := whole(t, read(t, file))
		require.GreaterOrEqual(t, n, last)
		last = n
	}
	group.Wait()
	assert.Equal(t, 49, last)
	t.Logf("%d reads", reads)
}

// replacer is set in the process that replaces a file until it is killed.
const replacer = "FILEOUTLET_TEST_REPLACES"

// A process that is killed while it replaces a file leaves a whole one, at least as new
// as what it had accepted, and the next one tidies up.
func TestKilledWhileReplacing(t *testing.T) {
	if file := os.Getenv(replacer); file != "" {
		o := fileoutlet.New(file, &fileoutlet.Options{Replace: true})
		require.NoError(t, o.Start(t.Context()))
		for n := 0; ; n++ {
			push(t, o, version(n)...)
			fmt.Printf("accepted %d\n", n)
		}
	}
	t.Parallel()
	file := path(t)
	left := false
	for round := range 15 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWhileReplacing$")
		cmd.Env = append(os.Environ(), replacer+"="+file)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		accepted := -1
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "accepted %d", &accepted); err == nil && accepted >= round%3 {
				break
			}
		}
		time.Sleep(time.Duration(round) * 400 * time.Microsecond)
		require.NoError(t, cmd.Process.Kill()) // SIGKILL
		for lines.Scan() {
			_, _ = fmt.Sscanf(lines.Text(), "accepted %d", &accepted)
		}
		_ = cmd.Wait()
		require.GreaterOrEqual(t, whole(t, read(t, file)), accepted)
		left = left || len(names(t, filepath.Dir(file))) > 1
	}
	t.Logf("a temporary file was left: %v", left)
	push(t, started(t, file, &fileoutlet.Options{Replace: true}), records("end")...)
	assert.Equal(t, "end\n", read(t, file))
	assert.Len(t, names(t, filepath.Dir(file)), 1)
}
