package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const input = `{"level":"error","n":1}
{"level":"info","n":2}
no JSON

{"level":"error","n":3,"text":"<&>"}
[4]
{"level":"error","n":5}`

func TestRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "errors.jsonl")
	for _, args := range [][]string{{"-where", "level=error"}, {"-where", "level=error", "-out", file}} {
		var stdout, stderr bytes.Buffer
		require.NoError(t, run(t.Context(), args, strings.NewReader(input), &stdout, &stderr))
		if args[len(args)-1] == file {
			assert.Empty(t, stdout.String())
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			stdout.Write(text)
		}
		assert.Equal(t, `{"level":"error","n":1}
{"level":"error","n":3,"text":"<&>"}
{"level":"error","n":5}
`, stdout.String())
		assert.Contains(t, stderr.String(), "cannot decode line 3: ")
		assert.Contains(t, stderr.String(), "cannot decode line 6: ")
		assert.Equal(t, 2, strings.Count(stderr.String(), "\n"))
	}
}

// Numbers are compared, and written, as they are.
func TestNumbers(t *testing.T) {
	t.Parallel()
	const line = `{"big":12345678901234567890,"million":1000000,"price":1.50}` + "\n"
	for _, where := range []string{"million=1000000", "big=12345678901234567890", "price=1.50"} {
		var stdout bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"-where", where}, strings.NewReader(line), &stdout, io.Discard))
		assert.Equal(t, line, stdout.String(), where)
	}
}

// At Ctrl-C, here the end of the context, it stops although its input goes on.
func TestRunStops(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = r.Close(); _ = w.Close() }()
	_, err = io.WriteString(w, "{\"n\":1}\n")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout := &stopAfter{stop: stop}
	require.NoError(t, run(ctx, nil, r, stdout, io.Discard))
	assert.Equal(t, "{\"n\":1}\n", stdout.String())
}

// stopAfter is a writer that calls stop when something was written.
type stopAfter struct {
	bytes.Buffer
	stop func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	defer s.stop()
	return s.Buffer.Write(p)
}

// The program as a part of a real pipeline.
func TestPipeline(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("SKIPPED, pipelines are NOT tested: there is no sh")
	}
	program := filepath.Join(t.TempDir(), "shell")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	sh := func(script string) (string, string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = append(os.Environ(), "SHELL_PROGRAM="+program)
		var stdout, stderr bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
		require.NoError(t, cmd.Run(), "%s", stderr.String())
		return stdout.String(), stderr.String()
	}
	stdout, stderr := sh(`cat | "$SHELL_PROGRAM" -where level=error | "$SHELL_PROGRAM" -where n=3`)
	assert.Equal(t, "{\"level\":\"error\",\"n\":3,\"text\":\"<&>\"}\n", stdout)
	assert.Contains(t, stderr, "line 3")

	stdout, _ = sh(`i=0; while [ $i -lt 20000 ]; do echo "{\"n\":$i}"; i=$((i+1)); done | "$SHELL_PROGRAM" | wc -l`)
	assert.Equal(t, "20000", strings.TrimSpace(stdout))

	stdout, _ = sh(`{ echo '{"n":1}'; sleep 0.3; echo '{"n":2}'; } | "$SHELL_PROGRAM" | head -n 1`)
	assert.Equal(t, "{\"n\":1}\n", stdout)
}
