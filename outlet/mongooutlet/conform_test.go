package mongooutlet_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// sample is a record that all ways of writing take.
func sample(i int) record.Record {
	return record.New(row{"n": int32(i), "text": "two\nlines", "list": bson.A{"a"}, "deep": bson.D{{Key: "x", Value: 1.5}}}).WithID("sample/" + string(rune('a'+i)))
}

// hung makes outlets whose server answers no insert or update.
func hung(opts *mongooutlet.Options) func(t *testing.T) outlet.Outlet {
	return func(t *testing.T) outlet.Outlet {
		d := newDouble(t, func(c command) bson.D {
			if c.name == "insert" || c.name == "update" {
				<-t.Context().Done()
				return hangUp
			}
			return nil
		})
		return mongooutlet.New(d.uri, "databay", "rows", opts)
	}
}

func TestConformsWithDouble(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*mongooutlet.Options{"ordered": nil, "unordered": {Unordered: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				d := newDouble(t, nil)
				return mongooutlet.New(d.uri, "databay", "rows", opts), func() []record.Record { return inserted(t, d) }
			}, sample, &testkit.OutletOptions{Hung: hung(opts)})
		})
	}
}

func TestConforms(t *testing.T) {
	t.Parallel()
	uri := testserver.Mongo(t)
	client := connected(t, uri)
	shared := func(t *testing.T) *mongo.Client { return connected(t, uri) }
	for name, opts := range map[string]func(t *testing.T) *mongooutlet.Options{
		"inserted":     func(*testing.T) *mongooutlet.Options { return nil },
		"unordered":    func(*testing.T) *mongooutlet.Options { return &mongooutlet.Options{Unordered: true} },
		"by key":       func(*testing.T) *mongooutlet.Options { return &mongooutlet.Options{Key: []string{"n"}} },
		"merged":       func(*testing.T) *mongooutlet.Options { return &mongooutlet.Options{Key: []string{"n"}, Merge: true} },
		"by ID":        func(*testing.T) *mongooutlet.Options { return &mongooutlet.Options{UseID: true} },
		"other client": func(t *testing.T) *mongooutlet.Options { return &mongooutlet.Options{Client: shared(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				own := uri
				o := opts(t)
				if o != nil && o.Client != nil {
					own = ""
				}
				collection := strings.NewReplacer("/", ".", "#", ".").Replace(t.Name())
				return mongooutlet.New(own, "databay", collection, o), func() []record.Record {
					return stored(t, client.Database("databay").Collection(collection))
				}
			}, sample, nil)
		})
	}
}

// connected returns a client of the test's own.
func connected(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.Background())) })
	return client
}

// stored returns the documents of a collection in the order in which they were
// written, without the _id of those that have an ObjectID or that of a sample.
func stored(t testing.TB, c *mongo.Collection) (all []record.Record) {
	t.Helper()
	cursor, err := c.Find(context.Background(), bson.D{})
	require.NoError(t, err)
	var docs []bson.M
	require.NoError(t, cursor.All(context.Background(), &docs))
	for _, doc := range docs {
		switch id := doc["_id"].(type) {
		case bson.ObjectID:
			delete(doc, "_id")
		case string:
			if strings.HasPrefix(id, "sample/") {
				delete(doc, "_id")
			}
		}
		all = append(all, record.New(row(doc)))
	}
	return all
}

// Two links of one planner share an outlet: it is started once, and the collections
// have what both have delivered, also what the server refused at first.
func TestSharedInAPlanner(t *testing.T) {
	t.Parallel()
	refuse := make(chan struct{}, 3)
	for range cap(refuse) {
		refuse <- struct{}{}
	}
	d := newDouble(t, func(c command) bson.D {
		if c.name != "insert" {
			return nil
		}
		select {
		case <-refuse:
			return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 91}, {Key: "errmsg", Value: "shutting down"}}
		default:
			return nil
		}
	})
	shared := mongooutlet.New(d.uri, "databay", "rows", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	links := make([]*link.Link, 2)
	for i := range links {
		n := 0
		var err error
		links[i], err = link.New(link.Config{
			Name: []string{"a", "b"}[i],
			Inlets: []inlet.Inlet{inlet.Of(func(context.Context) ([]row, error) {
				if n++; n > 10 {
					cancel()
					return nil, nil
				}
				return []row{{"link": i, "n": n}}, nil
			})},
			Outlets:  []outlet.Outlet{shared},
			Schedule: schedule.Every(20 * time.Millisecond),
			OnError:  func(context.Context, *link.Error) error { return nil },
		})
		require.NoError(t, err)
	}
	require.NoError(t, planner.Run(ctx, links...))
	delivered := int64(0)
	for _, l := range links {
		require.NoError(t, l.Account().Balance())
		assert.Positive(t, l.Account().Lanes[0].Delivered)
		delivered += l.Account().Lanes[0].Delivered
	}
	refused := 0
	for _, c := range d.writes() {
		refused += len(c.docs)
	}
	assert.EqualValues(t, refused-3, delivered, "three inserts, of a document each, were refused")
}
