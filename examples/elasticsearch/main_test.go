package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/record"
)

// stopAfter is a writer that calls stop once what was written contains text.
type stopAfter struct {
	bytes.Buffer
	text string
	stop func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Contains(s.String(), s.text) {
		s.stop()
	}
	return n, err
}

func runUntil(t *testing.T, text string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &stopAfter{text: text, stop: stop}
	require.NoError(t, run(ctx, append(args, "-every", "20ms"), out))
	return out.String()
}

// The program as its comment says, against a real cluster.
func TestOpenSearch(t *testing.T) {
	t.Parallel()
	url := testserver.OpenSearch(t)
	err := run(t.Context(), []string{"-url", url}, io.Discard)
	require.ErrorContains(t, err, "index sentences: status 404")

	call(t, http.MethodPut, url+"/sentences", `{"mappings":{"dynamic":"strict","properties":{"my_document":{"type":"text"}}}}`)
	assert.Contains(t, runUntil(t, "document 3 ", "-url", url), "document 1 is indexed\ndocument 2 is indexed\ndocument 3 is indexed\n")
	assert.Contains(t, runUntil(t, "document 3 ", "-url", url), "document 1 is indexed\n", "overwritten")
	out := runUntil(t, "document 9 ", "-url", url, "-skip")
	assert.Contains(t, out, "document 1 exists: skipped\ndocument 2 exists: skipped\ndocument 3 exists: skipped\n")
	assert.Contains(t, out, "document 9 is indexed\n")
	var got struct {
		Version int `json:"_version"`
		Source  struct {
			Text string `json:"my_document"`
		} `json:"_source"`
	}
	require.NoError(t, json.Unmarshal(call(t, http.MethodGet, url+"/sentences/_doc/1", ""), &got))
	assert.Equal(t, 2, got.Version)
	assert.Equal(t, sentences[1], got.Source.Text)

	// A document that does not fit the index is refused for good, alone.
	call(t, http.MethodPut, url+"/other", `{"mappings":{"dynamic":"strict"}}`)
	b := &Bulk{URL: url, Index: "other", Log: log.New(io.Discard, "", 0)}
	err = b.Push(t.Context(), []record.Record{record.New(Document{"1", "a"}), record.New(7)}, record.Update{})
	partial := record.AsPartial(err)
	require.NotNil(t, partial, "%v", err)
	assert.Equal(t, []int{0, 1}, partial.Indices())
	assert.ErrorContains(t, partial.Failed[0], "strict_dynamic_mapping_exception")
	assert.True(t, record.IsPermanent(partial.Failed[0]))
}

func call(t *testing.T, method, url, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { assert.NoError(t, resp.Body.Close()) }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", answer)
	return answer
}

// What a cluster says of single documents becomes the fate of single records.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var status int
	var answer string
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, answer)
	}))
	defer cluster.Close()
	push := func(skip bool) error {
		b := &Bulk{URL: cluster.URL, Index: "i", Skip: skip, Log: log.New(io.Discard, "", 0)}
		return b.Push(t.Context(), []record.Record{record.New(Document{"1", "a"}), record.New(Document{"2", "b"})}, record.Update{})
	}

	status, answer = 200, `{"items":[{"index":{"_id":"1","status":201}},{"index":{"_id":"2","status":429,"error":{"type":"busy"}}}]}`
	err := push(false)
	require.NotNil(t, record.AsPartial(err), "%v", err)
	assert.Equal(t, []int{1}, record.AsPartial(err).Indices())
	assert.False(t, record.IsPermanent(err))

	status, answer = 200, `{"items":[{"create":{"_id":"1","status":409}},{"create":{"_id":"2","status":201}}]}`
	require.NoError(t, push(true))

	status, answer = 200, `{"items":[{"index":{"_id":"1","status":200}}]}`
	require.ErrorContains(t, push(false), "2 documents")

	status, answer = 503, "away"
	err = push(false)
	require.ErrorContains(t, err, "503")
	assert.Nil(t, record.AsPartial(err))

	require.ErrorContains(t, run(t.Context(), []string{"-url", "nowhere"}, io.Discard), "http://host:port")
}
