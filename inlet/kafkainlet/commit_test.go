package kafkainlet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/record"
)

// Offsets are committed by Commit and nothing else, as far as the position and no
// further.
func TestCommit(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 2)
	c := client(t, at)
	produce(t, c, 2, 0, 40)
	opts := &kafkainlet.Options{MaxRecords: 5}
	in := started(t, at, "g", opts)
	assert.JSONEq(t, "{}", string(in.Position()))
	var positions [][]byte
	var first []record.Record
	for range 4 {
		first = append(first, pull(t, in)...)
		positions = append(positions, in.Position())
	}
	assert.Empty(t, committed(t, c, "g"), "pulls commit nothing")

	require.NoError(t, in.Commit(t.Context(), positions[1]))
	want := map[int32]int64{}
	for _, r := range first[:10] {
		want[kafkainlet.Partition.Or(r, -1)] = kafkainlet.Offset.Or(r, -1) + 1
	}
	assert.Equal(t, want, committed(t, c, "g"))
	require.NoError(t, in.Commit(t.Context(), positions[1]), "again")
	require.NoError(t, in.Commit(t.Context(), nil))
	require.NoError(t, in.Shutdown(t.Context()))
	assert.Equal(t, want, committed(t, c, "g"), "a shutdown commits nothing")

	require.NoError(t, in.Start(t.Context()))
	rest := pullN(t, in, 30)
	again := make(map[string]bool)
	for _, r := range rest {
		again[r.ID()] = true
	}
	for _, r := range first {
		o, p := kafkainlet.Offset.Or(r, -1), kafkainlet.Partition.Or(r, -1)
		assert.Equal(t, o >= want[p], again[r.ID()], "%s comes again unless it was committed", r.ID())
	}
	require.NoError(t, in.Commit(t.Context(), positions[3]), "a position of before the shutdown")
	assert.Equal(t, want, committed(t, c, "g"), "it is not this member's")
	for _, garbage := range []string{"x", `{"orders":[1]}`, `7`} {
		require.ErrorContains(t, in.Commit(t.Context(), []byte(garbage)), "the position is not one of kafkainlet")
	}
	beyond := strings.ReplaceAll(string(in.Position()), `"next":20`, `"next":21`)
	require.NoError(t, in.Commit(t.Context(), []byte(beyond)))
	assert.Equal(t, want, committed(t, c, "g"), "what was not read is not committed")
	require.NoError(t, in.Commit(t.Context(), in.Position()))
	assert.Equal(t, map[int32]int64{0: 20, 1: 20}, committed(t, c, "g"))
}

// A commit that the group refuses is an error, which says what it is.
func TestCommitRefused(t *testing.T) {
	t.Parallel()
	codes := []struct {
		code              int16
		fenced, permanent bool
	}{{22, true, false}, {25, true, false}, {82, true, true}, {27, false, false}, {30, false, false}}
	for _, test := range codes {
		t.Run(fmt.Sprint(test.code), func(t *testing.T) {
			t.Parallel()
			c, at := cluster(t, 1)
			produce(t, client(t, at), 1, 0, 1)
			in := started(t, at, "g", nil)
			pullN(t, in, 1)
			c.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
				resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
				for _, rt := range req.(*kmsg.OffsetCommitRequest).Topics {
					topic := kmsg.NewOffsetCommitResponseTopic()
					topic.Topic, topic.TopicID = rt.Topic, rt.TopicID
					topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitResponseTopicPartition{ErrorCode: test.code})
					resp.Topics = append(resp.Topics, topic)
				}
				return resp, nil, true
			})
			err := in.Commit(t.Context(), in.Position())
			require.Error(t, err)
			assert.Equal(t, test.fenced, errors.Is(err, kafkainlet.ErrFenced), err)
			assert.Equal(t, test.permanent, record.IsPermanent(err), err)
		})
	}
}

// A commit whose broker does not answer ends with its context, the Timeout or the
// shutdown, whichever is first.
func TestCommitHangs(t *testing.T) {
	t.Parallel()
	soon := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	tests := []struct {
		name    string
		timeout time.Duration
		end     func(t *testing.T, in *kafkainlet.Inlet, asked <-chan struct{}) error
	}{
		{"context deadline exceeded", -1, func(t *testing.T, in *kafkainlet.Inlet, _ <-chan struct{}) error {
			return in.Commit(soon(t), in.Position())
		}},
		{"no answer to the commit within 1s, the Timeout", time.Second, func(t *testing.T, in *kafkainlet.Inlet, _ <-chan struct{}) error {
			return in.Commit(t.Context(), in.Position())
		}},
		{"client closed", -1, func(t *testing.T, in *kafkainlet.Inlet, asked <-chan struct{}) error {
			commit := make(chan error)
			go func() { commit <- in.Commit(t.Context(), in.Position()) }()
			<-asked
			_ = in.Shutdown(soon(t)) // it may be able to leave, or not
			return <-commit
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, at := cluster(t, 1)
			produce(t, client(t, at), 1, 0, 1)
			in := kafkainlet.New(at.brokers, "g", []string{at.topic}, lively(kafkainlet.Options{Timeout: test.timeout}))
			require.NoError(t, in.Start(t.Context()))
			pullN(t, in, 1)
			asked := make(chan struct{}, 10)
			c.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				asked <- struct{}{}
				c.SleepControl(func() { <-t.Context().Done() })
				return nil, nil, true
			})
			before := time.Now()
			require.ErrorContains(t, test.end(t, in, asked), test.name)
			_ = in.Shutdown(soon(t))
			assert.Less(t, time.Since(before), 30*time.Second)
		})
	}
}
