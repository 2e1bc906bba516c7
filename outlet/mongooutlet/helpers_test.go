package mongooutlet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

type row = map[string]any

// started returns an outlet that is started, and stopped when the test ends.
func started(t testing.TB, uri, collection string, opts *mongooutlet.Options) *mongooutlet.Outlet {
	t.Helper()
	o := mongooutlet.New(uri, "databay", collection, opts)
	require.NoError(t, o.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, o.Shutdown(ctx))
	})
	return o
}

func records(payloads ...any) []record.Record {
	var rs []record.Record
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// numbered returns n records of maps with n from 0 and an ID each.
func numbered(n int) []record.Record {
	rs := make([]record.Record, n)
	for i := range rs {
		rs[i] = record.New(row{"n": int32(i)}).WithID(fmt.Sprintf("rows/%d", i))
	}
	return rs
}

// push pushes records and returns the causes of those not accepted, by index.
func push(t testing.TB, o *mongooutlet.Outlet, rs ...record.Record) map[int]error {
	t.Helper()
	err := o.Push(t.Context(), rs, record.Update{})
	if err == nil {
		return nil
	}
	partial, ok := errors.AsType[*record.Partial](err)
	require.True(t, ok, "the error is a Partial: %v", err)
	require.NoError(t, partial.Check(len(rs)))
	return partial.Failed
}

// indices returns those of failures, and of them those that are permanent.
func indices(failed map[int]error) (all, permanent []int) {
	all = slices.Sorted(maps.Keys(failed))
	for _, i := range all {
		if record.IsPermanent(failed[i]) {
			permanent = append(permanent, i)
		}
	}
	return all, permanent
}

// inserted returns the documents that a double has got to insert, without the _id of
// those that have an ObjectID.
func inserted(t testing.TB, d *double) (all []record.Record) {
	t.Helper()
	for _, c := range d.writes() {
		for _, raw := range c.docs {
			var doc bson.M
			require.NoError(t, bson.Unmarshal(raw, &doc))
			if _, ok := doc["_id"].(bson.ObjectID); ok {
				delete(doc, "_id")
			}
			all = append(all, record.New(row(doc)))
		}
	}
	return all
}
