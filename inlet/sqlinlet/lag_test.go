package sqlinlet_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/record"
)

// Two transactions at once: the one that took the smaller ID commits last. Without a
// lag its row is passed over, with one it is not.
func lateCommit(t *testing.T, d *database) {
	tests := map[string]struct {
		lag  time.Duration
		want []string
	}{
		"with a lag":    {2 * time.Second, []string{"1", "2"}},
		"without a lag": {-1, []string{"2"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := d.fresh(t)
			d.table(t, db, "name", "text")
			late, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			d.exec(t, late, "INSERT INTO t (name) VALUES ('late')") // takes ID 1
			d.exec(t, db, "INSERT INTO t (name) VALUES ('early')")  // takes ID 2, and is committed

			in := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: test.lag})
			if test.lag > 0 {
				time.AfterFunc(test.lag/4, func() { assert.NoError(t, late.Commit()) })
				assert.Equal(t, test.want, column(pull(t, in), "id"))
				return
			}
			assert.Equal(t, test.want, column(pull(t, in), "id"))
			require.NoError(t, late.Commit())
			assert.Empty(t, pull(t, in))
		})
	}
}

// What a pull returns at which time, for pulls at intervals below the lag.
func TestLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := sqlite.fresh(t)
		sqlite.table(t, db)
		in := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: 5 * time.Second})
		began := time.Now()
		var last time.Time
		at := func(second int, n int) []string { // pulls after so many seconds, and then inserts n rows
			t.Helper()
			time.Sleep(time.Until(began.Add(time.Duration(second) * time.Second)))
			due := time.Now()
			records, err := in.Pull(t.Context(), record.Update{From: last, Due: due})
			require.NoError(t, err)
			assert.Zero(t, time.Since(due), "no pull but the first waits")
			last = due
			for range n {
				sqlite.exec(t, db, "INSERT INTO t DEFAULT VALUES")
			}
			return column(records, "id")
		}
		first, err := in.Pull(t.Context(), record.Update{Due: began})
		require.NoError(t, err)
		assert.Empty(t, first)
		assert.Zero(t, time.Since(began), "there is nothing to wait for")
		last = began

		assert.Empty(t, at(1, 2))
		assert.Empty(t, at(2, 1)) // sees 1 and 2
		assert.Empty(t, at(3, 0)) // sees 3
		assert.Empty(t, at(4, 1))
		assert.Empty(t, at(6, 0)) // sees 4
		assert.Equal(t, []string{"1", "2"}, at(7, 0))
		assert.Equal(t, []string{"3"}, at(8, 0))
		assert.Empty(t, at(10, 0))
		assert.Equal(t, []string{"4"}, at(11, 1))
		assert.Empty(t, at(12, 0)) // sees 5
		assert.Equal(t, []string{"5"}, at(40, 0), "seen at 12 s")
	})
}

// A pull waits if it is the first, or if pulls are further apart than the lag: the
// program that transfers once an hour is not an hour late.
func TestLagWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := sqlite.fresh(t)
		sqlite.table(t, db)
		in := sqlinlet.New(db, "t", "id", nil)
		began := time.Now()
		for hour := range 3 {
			sqlite.exec(t, db, "INSERT INTO t DEFAULT VALUES")
			u := record.Update{Due: time.Now()}
			if hour > 0 {
				u.From = u.Due.Add(-time.Hour)
			}
			records, err := in.Pull(t.Context(), u)
			require.NoError(t, err)
			assert.Len(t, records, 1)
			assert.Equal(t, 5*time.Second, time.Since(u.Due), "the default lag")
			time.Sleep(time.Until(began.Add(time.Duration(hour+1) * time.Hour)))
		}

		sqlite.exec(t, db, "INSERT INTO t DEFAULT VALUES")
		position := in.Position()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := in.Pull(ctx, record.Update{})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, position, in.Position())
	})
}

// A catch-up reads on without a new lag, and rows that come all the time neither hold
// it up nor are read before their time.
func TestLagSteadyFlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := sqlite.fresh(t)
		sqlite.table(t, db)
		in := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: 8 * time.Second, Limit: 7})
		inserted := make(map[string]time.Time)
		n, got := 0, []string{}
		last := time.Now()
		for second := range 120 {
			if second < 60 {
				for range 3 {
					n++
					sqlite.exec(t, db, "INSERT INTO t DEFAULT VALUES")
					inserted[numbers(n, n)[0]] = time.Now()
				}
			}
			time.Sleep(time.Second)
			due := time.Now()
			records, err := in.Pull(t.Context(), record.Update{From: last, Due: due})
			require.NoError(t, err)
			last = due
			for _, id := range column(records, "id") {
				got = append(got, id)
				assert.GreaterOrEqual(t, time.Since(inserted[id]), 8*time.Second)
				assert.Less(t, time.Since(inserted[id]), 12*time.Second, "row %s", id)
			}
		}
		assert.Equal(t, numbers(1, 180), got)
	})
}
