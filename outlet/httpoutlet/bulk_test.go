package httpoutlet_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

func document(id string, v any) record.Record { return record.New(row{"n": v}).WithID(id) }

// Every item of a bulk request has an answer of its own; one that cannot be read to its
// end accepts nothing.
func TestBulk(t *testing.T) {
	t.Parallel()
	status, body := 200, ""
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	opts := bulk()
	opts.MaxBody = 1000
	o := started(t, server.URL, opts)
	docs := []record.Record{document("1", 1), document("2", func() {}), document("3\"\n", 3), document("4", 4), document("5", 5)}

	body = `{"items":[{"index":{"status":201}},{"index":{"status":429,"error":{"type":"busy"}}},{"create":{"status":409}},{"index":{"status":503}}]}`
	causes := push(t, o, docs...)
	assert.Equal(t, []string{`{"index":{"_id":"1"}}` + "\n" + `{"n":1}` + "\n" + `{"index":{"_id":"3\"\n"}}` + "\n" + `{"n":3}` + "\n" +
		`{"index":{"_id":"4"}}` + "\n" + `{"n":4}` + "\n" + `{"index":{"_id":"5"}}` + "\n" + `{"n":5}` + "\n"}, server.bodies())
	require.Len(t, causes, 4)
	for i, permanent := range map[int]bool{1: true, 2: false, 3: true, 4: false} {
		assert.Equal(t, permanent, record.IsPermanent(causes[i]), i)
	}
	require.EqualError(t, causes[2], `status 429 Too Many Requests: "{\"type\":\"busy\"}"`)
	found, ok := errors.AsType[*httpoutlet.StatusError](causes[3])
	require.True(t, ok)
	assert.Equal(t, 409, found.Code)

	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"a status":          {503, "", "status 503"},
		"no JSON":           {200, "<html>", "invalid character"},
		"too few items":     {200, `{"items":[]}`, "0 items for 4 records"},
		"more than MaxBody": {200, fmt.Sprintf(`{"items":[],"more":"%01000d"}`, 0), "the body has more than 1000 bytes, the MaxBody"},
	} {
		status, body = test.status, test.body
		causes := push(t, o, docs...)
		require.Len(t, causes, 5, name)
		require.ErrorContains(t, causes[0], test.want)
		assert.False(t, record.IsPermanent(causes[0]), name)
	}
}

// A real bulk request: documents that are offered again replace themselves, and those
// that do not fit are named.
func TestOpenSearch(t *testing.T) {
	t.Parallel()
	url := testserver.OpenSearch(t)
	mapping := row{"mappings": row{"properties": row{"n": row{"type": "integer"}}}}
	assert.Empty(t, push(t, started(t, url+"/docs", &httpoutlet.Options{Method: http.MethodPut, Body: httpoutlet.Single}), records(mapping)...))
	o := started(t, url+"/docs/_bulk?refresh=true", bulk())
	for range 2 {
		causes := push(t, o, document("a", 1), document("b", "no number"), document("c", 3))
		require.Len(t, causes, 1)
		require.ErrorContains(t, causes[1], "status 400 Bad Request")
		require.ErrorContains(t, causes[1], "mapper_parsing_exception")
		assert.True(t, record.IsPermanent(causes[1]))
	}
	resp, err := http.Get(url + "/docs/_count")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"count":2`)
}
