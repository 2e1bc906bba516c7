package main

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// get asks the feed for what is new.
func get(t *testing.T, f *feed) []Quake {
	t.Helper()
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest("GET", "/quakes/new", nil))
	require.Equal(t, 200, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var quakes []Quake
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &quakes))
	require.NotNil(t, quakes, "nothing new is an empty array: %s", w.Body)
	return quakes
}

// The whole week comes, each earthquake once and in its time.
func TestFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := 0
		f, err := newFeed(week, func() { over++ })
		require.NoError(t, err)

		var all []Quake
		seconds := 0
		for ; over == 0; seconds++ {
			require.Less(t, seconds, 100)
			now := f.first.Add(time.Duration(seconds) * speed)
			fresh := get(t, f)
			for _, q := range fresh {
				assert.WithinRange(t, q.Time, now.Add(-speed), now)
			}
			all = append(all, fresh...)
			assert.Empty(t, get(t, f), "each is given out once")
			time.Sleep(time.Second)
		}
		assert.Len(t, all, 1679)
		assert.Equal(t, 85, seconds, "7 days, 2 hours a second")
		assert.Empty(t, get(t, f))
		assert.Equal(t, 1, over)

		ids := make(map[string]bool)
		for i, q := range all {
			assert.NotEmpty(t, q.Place)
			assert.False(t, ids[q.ID], q.ID)
			assert.True(t, i == 0 || !q.Time.Before(all[i-1].Time), "oldest first")
			ids[q.ID] = true
		}
	})
}

func TestFeedOfBadData(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{}`:                 "the data: json",
		`[1]`:                "the data: row 0",
		`[{"time":"today"}]`: "the data: row 0",
	} {
		_, err := newFeed([]byte(data), nil)
		require.ErrorContains(t, err, want)
	}
	f, err := newFeed([]byte(`[]`), nil)
	require.NoError(t, err)
	assert.Empty(t, get(t, f))
}

func TestDataIsSmall(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, len(week), 300_000)
}
