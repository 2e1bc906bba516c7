package fileinlet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/state"
)

// asChild is set in the process that is killed: the folder it works in.
const asChild = "FILEINLET_TEST_CHILD"

// window is how many records a pull of the child returns: as many may come again
// after a kill.
const window = 50

// store is a state.Store in a file.
type store struct{ path string }

type stored struct {
	Rev   int64
	Value []byte
}

func (s store) read() (v stored, err error) {
	b, err := os.ReadFile(s.path)
	if os.IsNotExist(err) {
		return v, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	return v, err
}

func (s store) Get(context.Context, string) ([]byte, int64, error) {
	v, err := s.read()
	return v.Value, v.Rev, err
}

func (s store) Put(_ context.Context, _ string, value []byte, rev int64) (int64, error) {
	v, err := s.read()
	if err == nil && v.Rev != rev {
		err = state.ErrConflict
	}
	b, wrong := json.Marshal(stored{rev + 1, value})
	if err == nil {
		err = wrong
	}
	if err == nil {
		err = os.WriteFile(s.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	return rev + 1, err
}

// child transfers from the log to a file until it is killed.
func child(t *testing.T, folder string) {
	t.Helper()
	opts := &fileoutlet.Options{Idempotent: true}
	if _, err := os.Stat(filepath.Join(folder, "once")); err != nil {
		opts = &fileoutlet.Options{Encode: func(buf []byte, r record.Record) ([]byte, error) {
			return fmt.Appendf(buf, "%s\t%s", r.ID(), r.Payload), nil
		}}
	}
	in := fileinlet.New(filepath.Join(folder, "app.log"), &fileinlet.Options{Wait: true, MaxRecords: window})
	l, err := link.New(link.Config{
		Name:     "child",
		Inlets:   []inlet.Inlet{in},
		Outlets:  []outlet.Outlet{fileoutlet.New(filepath.Join(folder, "sink"), opts)},
		Schedule: schedule.Every(time.Millisecond),
		State:    store{filepath.Join(folder, "state")},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, planner.Run(ctx, l))
}

// A process that is killed again and again while its file grows and rotates misses
// no line, keeps their order, and repeats only what was not committed: with the same
// ID, so that an idempotent outlet has every line once.
func TestKilled(t *testing.T) {
	if folder := os.Getenv(asChild); folder != "" {
		child(t, folder)
		return
	}
	t.Parallel()
	for name, test := range map[string]struct{ copies, once bool }{
		"renamed":                   {},
		"copied and truncated too":  {copies: true},
		"into an idempotent outlet": {copies: true, once: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			if test.once {
				write(t, filepath.Join(dir, "once"), "")
			}
			seed := rand.Uint64()
			t.Log("seed", seed)
			w := &writer{t: t, path: filepath.Join(dir, "app.log"), random: rand.New(rand.NewPCG(seed, 0)), copies: test.copies}
			kills := 0
			for ; kills < 8 || w.rotations <= kills; kills++ {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
				cmd.Env = append(os.Environ(), asChild+"="+dir)
				var output bytes.Buffer
				cmd.Stdout, cmd.Stderr = &output, &output
				require.NoError(t, cmd.Start())
				w.run(time.Duration(50+w.random.IntN(250)) * time.Millisecond)
				require.NoError(t, cmd.Process.Kill())
				require.ErrorContains(t, cmd.Wait(), "killed", "%s", &output)
				if kills%3 == 0 {
					w.run(20 * time.Millisecond) // while it is down
				}
			}
			w.line("end")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
			cmd.Env = append(os.Environ(), asChild+"="+dir)
			require.NoError(t, cmd.Start())
			sink := filepath.Join(dir, "sink")
			assert.Eventually(t, func() bool {
				text, _ := os.ReadFile(sink)
				return bytes.Contains(text, []byte("\tend\n"))
			}, 30*time.Second, 20*time.Millisecond)
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())

			text, err := os.ReadFile(sink)
			require.NoError(t, err)
			next, repeated := 0, 0
			ids := make(map[string]string)
			for line := range strings.Lines(string(text)) {
				id, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				if was, ok := ids[number]; ok {
					require.Equal(t, was, id, "line %s has its ID again", number)
					repeated++
					continue
				}
				ids[number] = id
				if number != "end" {
					require.Equal(t, strconv.Itoa(next), number, "the next line")
					next++
				}
			}
			assert.Equal(t, w.lines, next)
			if test.once {
				assert.Zero(t, repeated)
			}
			assert.LessOrEqual(t, repeated, window*(kills+1))
			t.Logf("%d lines, %d rotations, %d kills, %d lines repeated", w.lines, w.rotations, kills, repeated)
		})
	}
}

// writer writes numbered lines, and rotates the file.
type writer struct {
	t         *testing.T
	path      string
	random    *rand.Rand
	copies    bool // it copies and truncates now and then
	hasty     bool // it does not pause
	file      *os.File
	lines     int
	rotations int
}

func (w *writer) line(text string) {
	if w.file == nil {
		f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(w.t, err)
		w.file = f
	}
	text += "\n"
	if i := w.random.IntN(3 * len(text)); i < len(text) { // in two parts
		_, err := w.file.WriteString(text[:i])
		require.NoError(w.t, err)
		text = text[i:]
	}
	_, err := w.file.WriteString(text)
	require.NoError(w.t, err)
}

func (w *writer) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for range w.random.IntN(30) {
			w.line(strconv.Itoa(w.lines))
			w.lines++
		}
		if !w.hasty {
			time.Sleep(time.Duration(w.random.IntN(3000)) * time.Microsecond)
		}
		if w.file != nil && w.random.IntN(20) == 0 {
			w.rotate()
		}
	}
}

func (w *writer) rotate() {
	if _, err := os.Stat(filepath.Join(filepath.Dir(w.path), "state")); err != nil {
		return // there is no position yet: the beginning is that of the file that is there
	}
	w.rotations++
	name := func(i int) string { return fmt.Sprint(w.path, ".", i) }
	for i := w.rotations - 1; i > 0; i-- {
		rename(w.t, name(i), name(i+1))
	}
	if w.copies && w.random.IntN(2) == 0 {
		copytruncate(w.t, w.path, name(1))
		return
	}
	rename(w.t, w.path, name(1))
	require.NoError(w.t, w.file.Close())
	w.file = nil
}
