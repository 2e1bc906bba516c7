package mongooutlet_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

// count returns how many documents a collection has.
func count(t testing.TB, c *mongo.Collection) int {
	t.Helper()
	n, err := c.CountDocuments(context.Background(), bson.D{})
	require.NoError(t, err)
	return int(n)
}

func TestServer(t *testing.T) {
	t.Parallel()
	uri := testserver.Mongo(t)
	client := connected(t, uri)
	db := client.Database("databay")

	t.Run("missing database and collection", func(t *testing.T) {
		o := started(t, uri, "rows", nil)
		require.Empty(t, push(t, o, record.New(row{"a": "x"}, mongooutlet.Database.Of("fresh"), mongooutlet.Collection.Of("new.one"))))
		names, err := client.Database("fresh").ListCollectionNames(t.Context(), bson.D{})
		require.NoError(t, err)
		assert.Equal(t, []string{"new.one"}, names)
		assert.Equal(t, []record.Record{record.New(row{"a": "x"})}, stored(t, client.Database("fresh").Collection("new.one")))
	})

	// Also where the driver cuts the command, since this server takes fewer documents.
	for _, unordered := range []bool{false, true} {
		t.Run(fmt.Sprint("duplicate keys, unordered ", unordered), func(t *testing.T) {
			c := db.Collection(fmt.Sprint("unique", unordered))
			_, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "n", Value: 1}}, Options: options.Index().SetUnique(true)})
			require.NoError(t, err)
			o := started(t, uri, c.Name(), &mongooutlet.Options{Unordered: unordered})
			taken := []int{0, 7, 8, 1500, 2499}
			rs := numbered(2500)
			for _, i := range taken {
				require.Empty(t, push(t, o, rs[i]))
			}
			failed := push(t, o, rs...)
			all, permanent := indices(failed)
			assert.Equal(t, taken, all)
			assert.Equal(t, taken, permanent)
			assert.True(t, mongo.IsDuplicateKeyError(failed[7]))
			assert.ErrorContains(t, failed[7], "E11000")
			assert.Equal(t, 2500, count(t, c))
		})
	}

	t.Run("by ID, offered again", func(t *testing.T) {
		c := db.Collection("byid")
		o := started(t, uri, c.Name(), &mongooutlet.Options{UseID: true})
		require.Empty(t, push(t, o, numbered(500)...))
		require.Empty(t, push(t, o, numbered(600)...))
		assert.Equal(t, 600, count(t, c))
		require.Empty(t, push(t, o, record.New(row{"n": "replaced"}).WithID("rows/3"), record.New(row{"n": "and again"}).WithID("rows/3")))
		var doc bson.M
		require.NoError(t, c.FindOne(t.Context(), bson.D{{Key: "_id", Value: "rows/3"}}).Decode(&doc))
		assert.Equal(t, bson.M{"_id": "rows/3", "n": "and again"}, doc)
	})

	t.Run("by key", func(t *testing.T) {
		c := db.Collection("bykey")
		o := started(t, uri, c.Name(), &mongooutlet.Options{Key: []string{"k", "deep.k"}})
		deep := func(k, deep, v any) record.Record { return record.New(row{"k": k, "deep": row{"k": deep}, "v": v}) }
		require.Empty(t, push(t, o, deep("a", 1, 1), deep("a", 2, 1), deep("b", 1, 1), deep("a", 1, 2)))
		require.Empty(t, push(t, o, deep("a", 2, 3), deep("c", 1, 1), deep(row{"$gt": ""}, 1, 1)))
		var got []string
		for _, r := range stored(t, c) {
			text, err := bson.MarshalExtJSON(r.Payload, false, false)
			require.NoError(t, err)
			got = append(got, string(text))
		}
		want := []record.Record{deep("a", 1, 2), deep("a", 2, 3), deep("b", 1, 1), deep("c", 1, 1), deep(row{"$gt": ""}, 1, 1)}
		require.Len(t, got, len(want))
		for i, r := range want {
			text, err := bson.MarshalExtJSON(r.Payload, false, false)
			require.NoError(t, err)
			assert.JSONEq(t, string(text), got[i])
		}
	})

	t.Run("merged", func(t *testing.T) {
		c := db.Collection("merged")
		require.Empty(t, push(t, started(t, uri, c.Name(), nil), record.New(row{"_id": "a", "k": 1, "keep": true, "v": 1})))
		require.Empty(t, push(t, started(t, uri, c.Name(), &mongooutlet.Options{Key: []string{"k"}, Merge: true}), record.New(row{"k": 1, "v": 2}), record.New(row{"k": 2, "v": 3})))
		require.Empty(t, push(t, started(t, uri, c.Name(), &mongooutlet.Options{UseID: true, Merge: true}), record.New(row{"more": 4}).WithID("a"), record.New(row{"v": 5}).WithID("b")))
		var got []string
		for _, id := range []string{"a", "b"} {
			var doc bson.D
			require.NoError(t, c.FindOne(t.Context(), bson.D{{Key: "_id", Value: id}}).Decode(&doc))
			got = append(got, doc.String())
		}
		assert.Contains(t, got[0], `"keep":true`)
		assert.Contains(t, got[0], `"v":{"$numberInt":"2"}`)
		assert.Contains(t, got[0], `"more":{"$numberInt":"4"}`)
		assert.Contains(t, got[1], `"v":{"$numberInt":"5"}`)
		assert.Equal(t, 3, count(t, c))
	})

	t.Run("another _id for a key", func(t *testing.T) {
		c := db.Collection("fixed")
		o := started(t, uri, c.Name(), &mongooutlet.Options{Key: []string{"k"}})
		require.Empty(t, push(t, o, record.New(row{"_id": "a", "k": 1})))
		all, permanent := indices(push(t, o, record.New(row{"k": 2}), record.New(row{"_id": "b", "k": 1}), record.New(row{"k": 3})))
		assert.Equal(t, []int{1}, all)
		assert.Equal(t, []int{1}, permanent)
		assert.Equal(t, 3, count(t, c))
	})

	t.Run("large", func(t *testing.T) {
		c := db.Collection("large")
		o := started(t, uri, c.Name(), nil)
		require.Empty(t, push(t, o, records(row{"a": 1}, row{"text": strings.Repeat("x", 16<<20-33)})...))
		assert.Equal(t, 2, count(t, c))
		require.NoError(t, c.Drop(t.Context()))
	})

	t.Run("the same documents side by side", func(t *testing.T) {
		c := db.Collection("raced")
		var group sync.WaitGroup
		for range 4 {
			o := started(t, uri, c.Name(), &mongooutlet.Options{UseID: true})
			group.Go(func() {
				for range 5 {
					assert.Empty(t, push(t, o, numbered(50)...))
				}
			})
		}
		group.Wait()
		assert.Equal(t, 50, count(t, c))
	})
}
