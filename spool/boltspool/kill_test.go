package boltspool_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// victim is set in the child that TestKilled starts, to the file that it writes.
const victim = "BOLTSPOOL_TEST_VICTIM"

// What an Append of a killed process has acknowledged is there, once and in order; what
// a Remove has is not.
func TestKilled(t *testing.T) {
	if file := os.Getenv(victim); file != "" {
		appendForEver(t, file)
		return
	}
	t.Parallel()
	file := path(t)
	kills, acknowledged := 20, 0
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), victim+"="+file)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		after := 1 + rand.IntN(60)
		last, removed := -1, -1 // numbers that were appended and removed
		for n := 0; lines.Scan(); {
			verb, number, _ := strings.Cut(lines.Text(), " ")
			i, err := strconv.Atoi(number)
			if err != nil {
				continue // the end of a line is missing
			}
			switch verb {
			case "appended":
				last = i
				if n++; n == after {
					require.NoError(t, cmd.Process.Kill())
				}
			case "removed":
				removed = i
			}
			acknowledged++
		}
		require.Error(t, cmd.Wait())
		require.NotEqual(t, -1, last)

		s := boltspool.New(file, spool.JSON[row](), nil)
		require.NoError(t, s.Start(t.Context()))
		entries, err := s.Read(t.Context(), 0, math.MaxInt)
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		for i, e := range entries {
			require.NoError(t, e.Err)
			require.Equal(t, entries[0].Record.Payload.(row)["n"]+i, e.Record.Payload.(row)["n"])
		}
		require.Greater(t, entries[0].Record.Payload.(row)["n"], removed)
		require.LessOrEqual(t, entries[0].Record.Payload.(row)["n"], removed+2)
		require.GreaterOrEqual(t, entries[len(entries)-1].Record.Payload.(row)["n"], last)
		require.NoError(t, s.Shutdown(t.Context()))
	}
	t.Logf("%d kills, %d calls acknowledged, nothing missing", kills, acknowledged)
}

// appendForEver appends numbers, removes the oldest one now and then, and tells of both.
func appendForEver(t *testing.T, file string) {
	s := boltspool.New(file, spool.JSON[row](), nil)
	require.NoError(t, s.Start(t.Context()))
	entries, err := s.Read(t.Context(), 0, math.MaxInt)
	require.NoError(t, err)
	next := 0
	if len(entries) > 0 {
		next = entries[len(entries)-1].Record.Payload.(row)["n"] + 1
		fmt.Println("removed", entries[0].Record.Payload.(row)["n"]-1) // by the one before
	}
	for {
		require.NoError(t, s.Append(t.Context(), samples(next, next+3)))
		next += 3
		fmt.Println("appended", next-1)
		oldest, err := s.Read(t.Context(), 0, 1)
		require.NoError(t, err)
		require.NoError(t, s.Remove(t.Context(), []int64{oldest[0].Seq}))
		fmt.Println("removed", oldest[0].Record.Payload.(row)["n"])
	}
}
