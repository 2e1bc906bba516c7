package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/databay-go/databay/internal/testserver"
)

func TestRun(t *testing.T) {
	t.Parallel()
	uri := testserver.Mongo(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 3 {
			stop()
		}
		_, _ = fmt.Fprint(w, `{"userId":1,"id":7,"title":"buy milk","completed":true}`)
	}))
	defer api.Close()
	var out bytes.Buffer
	require.NoError(t, run(ctx, []string{"-url", api.URL, "-mongo", uri, "-every", "20ms"}, &out))
	assert.Contains(t, out.String(), "http_to_mongo.0 pulled 1 filtered 0 held 0 pending 0 delivered 1 dropped 0 balanced\n")

	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	require.NoError(t, err)
	defer func() { assert.NoError(t, client.Disconnect(context.WithoutCancel(t.Context()))) }()
	found, err := client.Database("databay").Collection("test_collection").Find(t.Context(), bson.D{{Key: "title", Value: "buy milk"}})
	require.NoError(t, err)
	var documents []bson.M
	require.NoError(t, found.All(t.Context(), &documents))
	assert.Len(t, documents, int(calls.Load()))
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-url", "nowhere", "-mongo", "mongodb://user:secret@"}, io.Discard)
	require.ErrorContains(t, err, "nowhere")
	require.ErrorContains(t, err, "mongo")
	assert.NotContains(t, err.Error(), "secret")
}
