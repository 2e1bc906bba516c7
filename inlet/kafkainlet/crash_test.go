package kafkainlet_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// step counts what the child does, and kills it at a chosen step.
type step struct{ left int }

func (s *step) done() {
	if s.left--; s.left == 0 {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic(err)
		}
		select {}
	}
}

// killed is an inlet whose calls are steps.
type killed struct {
	*kafkainlet.Inlet
	*step
}

func (k killed) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	rs, err := k.Inlet.Pull(ctx, u)
	if len(rs) > 0 {
		k.done()
	}
	return rs, err
}

func (k killed) Commit(ctx context.Context, position []byte) error {
	k.done()
	err := k.Inlet.Commit(ctx, position)
	k.done()
	return err
}

const childVariable = "KAFKAINLET_TEST_CHILD"

// TestChild is the process that is killed: it moves records into a file, one transfer
// after another.
func TestChild(t *testing.T) {
	args := strings.Split(os.Getenv(childVariable), " ")
	if len(args) != 4 {
		t.Skip("not a child")
	}
	at, file := site{args[0], args[1]}, args[2]
	left, err := strconv.Atoi(args[3])
	require.NoError(t, err)
	steps := &step{left}
	sink, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	write := outlet.Func(func(_ context.Context, rs []record.Record, _ record.Update) error {
		for i, r := range rs {
			if i%8 == 0 {
				steps.done()
			}
			if _, err := fmt.Fprintf(sink, "%s %s\n", r.ID(), r.Payload); err != nil {
				return err
			}
		}
		steps.done()
		return nil
	})
	in := kafkainlet.New(at.brokers, "crash", []string{at.topic}, lively(kafkainlet.Options{MaxRecords: 20, InstanceID: "only"}))
	l, err := link.New(link.Config{Inlets: []inlet.Inlet{killed{in, steps}}, Outlets: []outlet.Outlet{write}, Schedule: schedule.Every(time.Millisecond)})
	require.NoError(t, err)
	require.NoError(t, planner.Run(t.Context(), l)) // until it is killed
}

// crashes kills the process of a link at random steps. Whatever step it was, nothing is
// missing, and what comes twice was not committed.
func crashes(t *testing.T, at site, kills int) {
	const partitions, perKill = 2, 60
	c := client(t, at)
	file := filepath.Join(t.TempDir(), "sink")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	again, total := 0, 0
	seen := make(map[string]bool)
	for range kills {
		produce(t, c, partitions, total, total+perKill)
		total += perKill
		before := committed(t, c, "crash")
		offset, err := os.ReadFile(file)
		if err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		child(t, at, file, 1+random.IntN(16))
		again += check(t, at, file, len(offset), before, seen)
	}
	// The last one has nothing that stops it before it is through.
	before := committed(t, c, "crash")
	offset, err := os.ReadFile(file)
	require.NoError(t, err)
	cmd := command(t, at, file, -1)
	require.NoError(t, cmd.Start())
	done := map[int32]int64{0: int64(total / partitions), 1: int64(total / partitions)}
	assert.Eventually(t, func() bool { return maps.Equal(committed(t, c, "crash"), done) }, time.Minute, 20*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	again += check(t, at, file, len(offset), before, seen)
	assert.Len(t, seen, total, "nothing is missing")
	t.Logf("kills %d records %d missing %d again %d", kills, total, total-len(seen), again)
}

func command(t *testing.T, at site, file string, step int) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %d", childVariable, at.brokers, at.topic, file, step))
	return cmd
}

// child runs a process that is killed at a step.
func child(t *testing.T, at site, file string, step int) {
	t.Helper()
	var out bytes.Buffer
	cmd := command(t, at, file, step)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	require.Error(t, err, "step %d: it ended by itself:\n%s", step, out.String())
	require.Equal(t, -1, cmd.ProcessState.ExitCode(), "step %d: %v:\n%s", step, err, out.String())
}

// check reads what a process has written to the file: nothing that was committed
// before. It returns how much was there already.
func check(t *testing.T, at site, file string, from int, before map[int32]int64, seen map[string]bool) (again int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(text[from:])) {
		var partition int32
		var offset, n int64
		_, err := fmt.Sscanf(line, at.topic+"/%d/%d %d\n", &partition, &offset, &n)
		require.NoError(t, err, "%q", line)
		assert.GreaterOrEqual(t, offset, before[partition], "%s was committed before", line)
		assert.EqualValues(t, offset*2+int64(partition), n, "the right payload")
		id, _, _ := strings.Cut(line, " ")
		if seen[id] {
			again++
		}
		seen[id] = true
	}
	return again
}

func TestCrashes(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 2)
	crashes(t, at, 12)
}
