package mongooutlet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

// Metadata choose the collection; those of a record win over those of its inlet, and
// these over the outlet's. A collection is written with one command, in order.
func TestGroups(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	o := started(t, d.uri, "rows", nil)
	global := record.NewMetadata(mongooutlet.Collection.Of("cats"))
	of := func(i int32, local ...record.Attr) record.Record {
		r := record.New(row{"n": i}, local...)
		r.Metadata = r.Metadata.Over(global)
		return r
	}
	require.Empty(t, push(t, o,
		of(0), record.New(row{"n": int32(1)}), of(2, mongooutlet.Collection.Of("dogs")), of(3),
		of(4, mongooutlet.Database.Of("zoo")), record.New(row{"n": int32(5)}, mongooutlet.Database.Of("zoo")),
		of(6, mongooutlet.Collection.Of("dogs"), record.Attr{Key: "else", Value: 1}), record.New(row{"n": int32(7)}),
	))
	type write struct {
		database, collection string
		ns                   []int32
	}
	var got []write
	for _, c := range d.writes() {
		w := write{database: c.database, collection: c.collection}
		for _, doc := range c.docs {
			w.ns = append(w.ns, doc.Lookup("n").Int32())
		}
		got = append(got, w)
	}
	assert.Equal(t, []write{
		{"databay", "cats", []int32{0, 3}}, {"databay", "rows", []int32{1, 7}}, {"databay", "dogs", []int32{2, 6}},
		{"zoo", "cats", []int32{4}}, {"zoo", "rows", []int32{5}},
	}, got)
}

func TestBadMetadata(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	o := started(t, d.uri, "rows", nil)
	for _, test := range []struct {
		attr record.Attr
		want string
	}{
		{record.Attr{Key: "mongooutlet.collection", Value: 7}, "metadata mongooutlet.collection is a int, want a string"},
		{record.Attr{Key: "mongooutlet.database"}, "metadata mongooutlet.database is a <nil>, want a string"},
		{mongooutlet.Collection.Of(""), `metadata mongooutlet.collection is "", want 1 to 190 bytes`},
		{mongooutlet.Collection.Of("a$b"), `metadata mongooutlet.collection is "a$b", want`},
		{mongooutlet.Database.Of("a b"), `metadata mongooutlet.database is "a b", want 1 to 63 bytes`},
		{mongooutlet.Database.Of("\xff"), `metadata mongooutlet.database is "\xff"`},
	} {
		rs := numbered(3)
		rs[1] = rs[1].WithMetadata(test.attr)
		failed := push(t, o, rs...)
		all, permanent := indices(failed)
		assert.Equal(t, []int{1}, all)
		assert.Equal(t, []int{1}, permanent)
		assert.ErrorContains(t, failed[1], test.want)
		assert.Len(t, d.take(), 2)
	}
}

// What replaces a document is a document with the ID or the key of the record.
func TestUpsertCommands(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts *mongooutlet.Options
		want string
	}{
		"by ID":          {&mongooutlet.Options{UseID: true}, `{"q":{"_id":"a/1"},"u":{"_id":"a/1","k":{"x":1},"v":{"$gt":2}},"upsert":true}`},
		"by key":         {&mongooutlet.Options{Key: []string{"k.x"}}, `{"q":{"k.x":{"$eq":1}},"u":{"k":{"x":1},"v":{"$gt":2}},"upsert":true}`},
		"by two":         {&mongooutlet.Options{Key: []string{"v", "k.x"}}, `{"q":{"v":{"$eq":{"$gt":2}},"k.x":{"$eq":1}},"u":{"k":{"x":1},"v":{"$gt":2}},"upsert":true}`},
		"merged by ID":   {&mongooutlet.Options{UseID: true, Merge: true}, `{"q":{"_id":"a/1"},"u":{"$set":{"_id":"a/1","k":{"x":1},"v":{"$gt":2}}},"upsert":true}`},
		"merged by key":  {&mongooutlet.Options{Key: []string{"k.x"}, Merge: true}, `{"q":{"k.x":{"$eq":1}},"u":{"$set":{"k":{"x":1},"v":{"$gt":2}}},"upsert":true}`},
		"same ID inside": {&mongooutlet.Options{UseID: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, nil)
			o := started(t, d.uri, "rows", test.opts)
			payload := bson.D{{Key: "k", Value: bson.D{{Key: "x", Value: 1}}}, {Key: "v", Value: bson.D{{Key: "$gt", Value: 2}}}}
			if test.want == "" {
				payload = append(payload, bson.E{Key: "_id", Value: "a/1"})
				test.want = `{"q":{"_id":"a/1"},"u":{"k":{"x":1},"v":{"$gt":2},"_id":"a/1"},"upsert":true}`
			}
			require.Empty(t, push(t, o, record.New(payload).WithID("a/1")))
			docs := d.take()
			require.Len(t, docs, 1)
			var got bson.D
			require.NoError(t, bson.Unmarshal(docs[0], &got))
			text, err := bson.MarshalExtJSON(got, false, false)
			require.NoError(t, err)
			assert.Equal(t, test.want, string(text))
		})
	}
}

// A record that cannot be found again is not written where it is to be written once.
func TestUpsertsThatCannotBe(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	byID, byKey := &mongooutlet.Options{UseID: true}, &mongooutlet.Options{Key: []string{"n", "k.x"}}
	good := row{"n": int32(1), "k": row{"x": "y"}}
	for name, test := range map[string]struct {
		opts *mongooutlet.Options
		bad  record.Record
		want string
	}{
		"no ID":        {byID, record.New(good), "the record has no ID, which UseID needs"},
		"broken ID":    {byID, record.New(good).WithID("\xff"), `the ID of the record is "\xff", want UTF-8`},
		"another _id":  {byID, record.New(row{"_id": "other"}).WithID("a"), `payload has the _id "other", want none with UseID, or the ID of the record, "a"`},
		"number _id":   {byID, record.New(row{"_id": 7}).WithID("a"), "want none with UseID"},
		"list":         {byID, record.New([]row{good, good}).WithID("a"), "payload is a list of 2 documents, want a single one with UseID"},
		"no field":     {byKey, record.New(row{"n": 1}).WithID("a"), `payload has no field "k.x", which is in Options.Key`},
		"no structure": {byKey, record.New(row{"n": 1, "k": 2}).WithID("a"), `payload has no field "k.x"`},
		"null":         {byKey, record.New(row{"n": nil, "k": row{"x": 1}}).WithID("a"), `payload has null in the field "n"`},
		"array":        {byKey, record.New(row{"n": bson.A{1}, "k": row{"x": 1}}).WithID("a"), `payload has array in the field "n"`},
		"operator":     {byKey, record.New(bson.D{{Key: "$set", Value: 1}, {Key: "n", Value: 1}, {Key: "k", Value: row{"x": 1}}}).WithID("a"), "begins with a field whose name begins with $"},
	} {
		t.Run(name, func(t *testing.T) {
			o := started(t, d.uri, "rows", test.opts)
			failed := push(t, o, record.New(good).WithID("good/0"), test.bad, record.New(good).WithID("good/2"))
			all, permanent := indices(failed)
			assert.Equal(t, []int{1}, all)
			assert.Equal(t, []int{1}, permanent)
			assert.ErrorContains(t, failed[1], test.want)
			assert.Len(t, d.take(), 2)
		})
	}
}
