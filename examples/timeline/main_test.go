package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stopAfter is a writer that calls stop at a line that begins with text.
type stopAfter struct {
	bytes.Buffer
	text string
	stop func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(s.text)) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

func TestRunGoesOn(t *testing.T) {
	t.Parallel()
	const last = 57
	timeline := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since, err := strconv.ParseInt(r.FormValue("since_id"), 10, 64)
		assert.NoError(t, err)
		posts := []Post{}
		for id := since + 1; id <= min(last, since+4); id++ {
			posts = append(posts, Post{id, "ada", "hello"})
		}
		assert.NoError(t, json.NewEncoder(w).Encode(posts))
	}))
	defer timeline.Close()
	file := filepath.Join(t.TempDir(), "timeline.db")
	until := func(line string) string {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		out := &stopAfter{text: line, stop: stop}
		require.NoError(t, run(ctx, []string{"-url", timeline.URL, "-state", file, "-every", "5ms"}, out))
		return out.String()
	}

	all := until("10 ") + until("30 ") + until("57 ")
	var want strings.Builder
	for id := 1; id <= last; id++ {
		want.WriteString(strconv.Itoa(id) + " ada: hello\n")
	}
	assert.Equal(t, want.String(), all, "each post once, over two restarts")
}

func TestRunLocal(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &stopAfter{text: "", stop: stop}
	require.NoError(t, run(ctx, []string{"-state", filepath.Join(t.TempDir(), "timeline.db"), "-every", "5ms"}, out))
	assert.Regexp(t, `^\d+ (ada|grace|alan): it is \d\d:\d\d:\d\d\n`, out.String())
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run(t.Context(), []string{"-state", t.TempDir()}, nil), "director")
}
