package mongooutlet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

// refusing answers writes with an error of the given code for each document whose n is
// among those of refused.
func refusing(code int, refused ...int32) func(c command) bson.D {
	return func(c command) bson.D {
		var errs bson.A
		written := 0
		for i, doc := range c.docs {
			n, bad := doc.Lookup("n").AsInt64OK()
			bad = bad && slices.Contains(refused, int32(n))
			if bad {
				errs = append(errs, bson.D{{Key: "index", Value: i}, {Key: "code", Value: code}, {Key: "errmsg", Value: fmt.Sprint("refused ", n)}})
				if c.ordered {
					break
				}
				continue
			}
			written++
		}
		if errs == nil {
			return nil
		}
		return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: written}, {Key: "writeErrors", Value: errs}}
	}
}

// failing is the answer of a command that failed as a whole.
func failing(code int, text string) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: text}}
}

// sizes returns how many documents each write had.
func sizes(d *double) (all []int) {
	for _, c := range d.writes() {
		all = append(all, len(c.docs))
	}
	return all
}

func TestRefusedDocuments(t *testing.T) {
	t.Parallel()
	const duplicate, conflict = 11000, 112
	for name, test := range map[string]struct {
		code      int
		unordered bool
		refused   []int32
		failed    []int
		permanent []int
		sizes     []int // of the commands, for 6 records
	}{
		"none":                   {duplicate, false, nil, nil, nil, []int{6}},
		"one for good":           {duplicate, false, []int32{2}, []int{2}, []int{2}, []int{6, 3}},
		"the first":              {duplicate, false, []int32{0}, []int{0}, []int{0}, []int{6, 2, 3}},
		"the last":               {duplicate, false, []int32{5}, []int{5}, []int{5}, []int{6}},
		"two for good":           {duplicate, false, []int32{2, 4}, []int{2, 4}, []int{2, 4}, []int{6, 3, 1}},
		"passing":                {conflict, false, []int32{2}, []int{2, 3, 4, 5}, nil, []int{6}},
		"unordered, for good":    {duplicate, true, []int32{0, 4}, []int{0, 4}, []int{0, 4}, []int{6}},
		"unordered, passing":     {conflict, true, []int32{0, 4}, []int{0, 4}, nil, []int{6}},
		"unordered, all refused": {duplicate, true, []int32{0, 1, 2, 3, 4, 5}, []int{0, 1, 2, 3, 4, 5}, []int{0, 1, 2, 3, 4, 5}, []int{6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, refusing(test.code, test.refused...))
			o := started(t, d.uri, "rows", &mongooutlet.Options{Unordered: test.unordered})
			all, permanent := indices(push(t, o, numbered(6)...))
			assert.Equal(t, test.failed, all)
			assert.Equal(t, test.permanent, permanent)
			assert.Equal(t, test.sizes, sizes(d))
		})
	}
}

// A batch of which everything is refused is not sent over and over.
func TestAllRefusedInOrder(t *testing.T) {
	t.Parallel()
	const n = 1000
	refused := make([]int32, n)
	for i := range refused {
		refused[i] = int32(i)
	}
	d := newDouble(t, refusing(11000, refused...))
	failed := push(t, started(t, d.uri, "rows", nil), numbered(n)...)
	assert.Len(t, failed, n)
	sent := 0
	for _, size := range sizes(d) {
		sent += size
	}
	assert.Less(t, sent, 4*n)
}

// What the server has against one document is for good unless it passes.
func TestCodesOfDocuments(t *testing.T) {
	t.Parallel()
	for code, permanent := range map[int]bool{
		11000: true, 121: true, 2: true, 66: true, 10334: true, 17280: true, 999999: true,
		112: false, 189: false, 10107: false, 91: false, 50: false, 11602: false, 64: false, 14031: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, refusing(code, 1))
			failed := push(t, started(t, d.uri, "rows", &mongooutlet.Options{Unordered: true}), numbered(3)...)
			require.Len(t, failed, 1)
			assert.Equal(t, permanent, record.IsPermanent(failed[1]))
			assert.ErrorContains(t, failed[1], "refused 1")
			e, ok := errors.AsType[mongo.WriteError](failed[1])
			require.True(t, ok, "the error of the driver is there for who wants it")
			assert.Equal(t, code, e.Code)
		})
	}
}

// What the server has against a command passes unless it is known to last, and then
// other collections are not tried.
func TestCodesOfCommands(t *testing.T) {
	t.Parallel()
	for code, permanent := range map[int]bool{
		13: true, 73: true, 166: true, 2: true, 10334: true,
		6: false, 8: false, 50: false, 91: false, 189: false, 10107: false, 11602: false, 999999: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, func(c command) bson.D {
				if c.collection == "bad" {
					return failing(code, "all of it")
				}
				return nil
			})
			rs := numbered(5)
			for _, i := range []int{1, 3} {
				rs[i] = rs[i].WithMetadata(mongooutlet.Collection.Of("bad"))
			}
			rs[4] = rs[4].WithMetadata(mongooutlet.Collection.Of("third"))
			failed := push(t, started(t, d.uri, "rows", nil), rs...)
			all, lasting := indices(failed)
			assert.ErrorContains(t, failed[3], "all of it")
			if permanent {
				assert.Equal(t, []int{1, 3}, all)
				assert.Equal(t, []int{1, 3}, lasting)
			} else {
				assert.Equal(t, []int{1, 3, 4}, all)
				assert.Empty(t, lasting)
				assert.ErrorContains(t, failed[4], "not sent, since one before failed: ")
			}
		})
	}
}

// Where the server fails a command because of one document in it, only that one fails.
func TestMalformedDocumentFailsAlone(t *testing.T) {
	t.Parallel()
	d := newDouble(t, func(c command) bson.D {
		for _, doc := range c.docs {
			if n, _ := doc.Lookup("n").AsInt64OK(); n == 70 {
				return failing(2, "cannot take 70")
			}
		}
		return nil
	})
	for _, unordered := range []bool{false, true} {
		all, permanent := indices(push(t, started(t, d.uri, "rows", &mongooutlet.Options{Unordered: unordered}), numbered(200)...))
		assert.Equal(t, []int{70}, all)
		assert.Equal(t, []int{70}, permanent)
	}
	assert.Less(t, len(sizes(d)), 80)
}

func TestWriteConcern(t *testing.T) {
	t.Parallel()
	for code, permanent := range map[int]bool{64: false, 91: false, 79: true, 100: true} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, func(c command) bson.D {
				if c.name != "insert" {
					return nil
				}
				return bson.D{
					{Key: "ok", Value: 1}, {Key: "n", Value: 1},
					{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: code}, {Key: "errmsg", Value: "waiting for replication"}}},
				}
			})
			failed := push(t, started(t, d.uri, "rows", nil), numbered(2)...)
			assert.Len(t, failed, 2)
			for _, err := range failed {
				assert.ErrorContains(t, err, "written, but not as safely as asked for")
				assert.Equal(t, permanent, record.IsPermanent(err))
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		d := newDouble(t, nil)
		client, err := mongo.Connect(options.Client().ApplyURI(d.uri).SetWriteConcern(writeconcern.Unacknowledged()))
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Disconnect(context.Background())) }()
		failed := push(t, started(t, "", "rows", &mongooutlet.Options{Client: client}), numbered(2)...)
		assert.Len(t, failed, 2)
		assert.ErrorContains(t, failed[1], "w=0")
		assert.True(t, record.IsPermanent(failed[1]))
	})
}

// Of two that upsert the same document at the same time one may be refused: not for
// good, since then it is there. A duplicate in another index is.
func TestRacedUpserts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts      mongooutlet.Options
		pattern   bson.D
		permanent bool
	}{
		"ID":            {mongooutlet.Options{UseID: true}, bson.D{{Key: "_id", Value: 1}}, false},
		"other index":   {mongooutlet.Options{UseID: true}, bson.D{{Key: "n", Value: 1}}, true},
		"key":           {mongooutlet.Options{Key: []string{"n"}}, bson.D{{Key: "n", Value: 1}}, false},
		"part of index": {mongooutlet.Options{Key: []string{"n"}}, bson.D{{Key: "n", Value: 1}, {Key: "m", Value: 1}}, true},
		"_id of a key":  {mongooutlet.Options{Key: []string{"n"}}, bson.D{{Key: "_id", Value: 1}}, true},
		"unknown index": {mongooutlet.Options{UseID: true}, nil, true},
		"inserted":      {mongooutlet.Options{}, bson.D{{Key: "_id", Value: 1}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, func(c command) bson.D {
				if c.name != "insert" && c.name != "update" {
					return nil
				}
				e := bson.D{{Key: "index", Value: 0}, {Key: "code", Value: 11000}, {Key: "errmsg", Value: "E11000 duplicate key"}}
				if test.pattern != nil {
					e = append(e, bson.E{Key: "keyPattern", Value: test.pattern})
				}
				return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 0}, {Key: "writeErrors", Value: bson.A{e}}}
			})
			failed := push(t, started(t, d.uri, "rows", &test.opts), numbered(1)...)
			require.Len(t, failed, 1)
			assert.Equal(t, test.permanent, record.IsPermanent(failed[0]))
		})
	}
}

// An answer about documents that were not sent says nothing about those that were.
func TestInsaneAnswers(t *testing.T) {
	t.Parallel()
	for _, index := range []int{-1, 2, 1 << 30} {
		d := newDouble(t, func(c command) bson.D {
			if c.name != "insert" {
				return nil
			}
			return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 1}, {Key: "writeErrors", Value: bson.A{
				bson.D{{Key: "index", Value: index}, {Key: "code", Value: 11000}, {Key: "errmsg", Value: "what?"}},
			}}}
		})
		all, permanent := indices(push(t, started(t, d.uri, "rows", nil), numbered(2)...))
		assert.Equal(t, []int{0, 1}, all)
		assert.Empty(t, permanent)
	}
}

// A push of more than a command takes is cut, and what is accepted of it is known.
func TestCommandsAreBounded(t *testing.T) {
	t.Parallel()
	var writes atomic.Int32
	d := newDouble(t, func(c command) bson.D {
		if c.name != "insert" {
			return nil
		}
		if n := writes.Add(1); n == 3 || n == 6 {
			return hangUp
		}
		return nil
	})
	o := started(t, d.uri, "rows", nil)
	failed := push(t, o, numbered(25_000)...)
	assert.Equal(t, []int{10_000, 10_000, 5000}, sizes(d))
	assert.Len(t, failed, 5000)
	assert.Contains(t, failed, 24_999)
	assert.NotContains(t, failed, 19_999)
	assert.False(t, record.IsPermanent(failed[20_000]))

	d.take()
	half := strings.Repeat("x", 6<<20)
	failed = push(t, o, records(row{"a": half}, row{"b": half}, row{"c": half}, row{"d": half}, row{"e": half})...)
	assert.Equal(t, []int{2, 2, 1}, sizes(d))
	all, permanent := indices(failed)
	assert.Equal(t, []int{4}, all)
	assert.Empty(t, permanent)
}

// A server that hangs up, or does not answer in time, costs its command; the next push
// goes through a new connection.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T){"hung up": func(*testing.T) {}, "timeout": func(t *testing.T) { <-t.Context().Done() }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lost atomic.Bool
			d := newDouble(t, func(c command) bson.D {
				if c.name != "update" || lost.Swap(true) {
					return nil
				}
				lose(t)
				return hangUp
			})
			timeout := 30 * time.Second
			if name == "timeout" {
				timeout = 2 * time.Second
			}
			o := started(t, d.uri, "rows", &mongooutlet.Options{UseID: true, Timeout: timeout})
			failed := push(t, o, numbered(2)...)
			all, permanent := indices(failed)
			assert.Equal(t, []int{0, 1}, all)
			assert.Empty(t, permanent)
			if name == "timeout" {
				assert.ErrorContains(t, failed[1], "the timeout of 2s is over")
				assert.True(t, mongo.IsTimeout(failed[1]))
			}
			assert.Eventually(t, func() bool { return len(push(t, o, numbered(2)...)) == 0 }, 20*time.Second, 50*time.Millisecond)
		})
	}
}
