package schedule_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/schedule"
)

var anchor = time.Date(2026, 3, 29, 0, 30, 0, 7, time.UTC)

func bind(d time.Duration, anchor time.Time) schedule.Schedule {
	return schedule.Every(d).(schedule.Binder).Bind("link", anchor)
}

func count(s schedule.Schedule, from, to time.Time) int { return s.(schedule.Counter).Count(from, to) }

func TestEveryNext(t *testing.T) {
	const d = 7 * time.Second
	s := bind(d, anchor)
	for _, test := range []struct {
		name  string
		after time.Duration // from the anchor
		want  time.Duration
	}{
		{"the anchor itself is none", 0, d},
		{"before the anchor", -time.Hour, d},
		{"just before the anchor", -1, d},
		{"between", 1, d},
		{"just before an instant", d - 1, d},
		{"at an instant: strictly after", d, 2 * d},
		{"just after an instant", d + 1, 2 * d},
		{"much later", 1_000_000*d + 3, 1_000_001 * d},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Next(anchor.Add(test.after))
			assert.Equal(t, anchor.Add(test.want), got)
			assert.Equal(t, got, s.Next(anchor.Add(test.after)), "a pure function")
		})
	}
	assert.Equal(t, anchor.Add(d), s.Next(time.Time{}), "before any wall clock")
}

func TestEveryCount(t *testing.T) {
	const d = 7 * time.Second
	s := bind(d, anchor)
	for _, test := range []struct {
		name     string
		from, to time.Duration
		want     int
	}{
		{"none between", 1, d - 1, 0},
		{"to is counted", 1, d, 1},
		{"from is not", d, 2*d - 1, 0},
		{"the anchor is none", -time.Hour, 0, 0},
		{"from before the anchor", -time.Hour, 3 * d, 3},
		{"many", 0, 1_000_000 * d, 1_000_000},
		{"nothing", d, d, 0},
		{"backwards", 3 * d, d, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, count(s, anchor.Add(test.from), anchor.Add(test.to)))
		})
	}
}

func TestEveryEnds(t *testing.T) {
	for _, d := range []time.Duration{1, time.Hour, math.MaxInt64/2 + 1, math.MaxInt64} {
		s := bind(d, anchor)
		last := anchor.Add(math.MaxInt64 / d * d)
		assert.Equal(t, last, s.Next(last.Add(-1)), "%v", d)
		assert.Zero(t, s.Next(last), "%v: after the last", d)
		assert.Zero(t, s.Next(last.Add(math.MaxInt64)), "%v: much later", d)
		if n := math.MaxInt64 / d; n <= math.MaxInt {
			assert.Equal(t, int(n), count(s, anchor, last.Add(math.MaxInt64)), "%v", d)
		}
	}
}

func TestEveryUnbound(t *testing.T) {
	s := schedule.Every(time.Hour)
	assert.True(t, s.Next(time.Date(2026, 1, 1, 10, 20, 0, 0, time.UTC)).Equal(time.Date(2026, 1, 1, 11, 0, 0, 0, time.UTC)), "anchored at the epoch")
	assert.True(t, s.Next(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)).Equal(time.Unix(3600, 0)))
}

func TestEveryBinds(t *testing.T) {
	s := schedule.Every(time.Minute)
	b := s.(schedule.Binder)
	first, second := b.Bind("a", anchor), b.Bind("b", anchor.Add(time.Second))
	assert.Equal(t, anchor.Add(time.Minute), first.Next(anchor))
	assert.Equal(t, anchor.Add(time.Minute+time.Second), second.Next(anchor.Add(time.Second)))
	assert.Equal(t, second.Next(anchor), first.(schedule.Binder).Bind("a", anchor.Add(time.Second)).Next(anchor), "bound again")
	assert.Equal(t, schedule.Every(time.Minute), s, "itself it stays unbound")
}

func TestEveryValidates(t *testing.T) {
	for _, d := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		s := schedule.Every(d)
		assert.EqualError(t, s.(schedule.Validator).Validate(), fmt.Sprintf("schedule.Every: interval is %v, want more than 0", d))
		assert.Zero(t, s.Next(anchor), "no instant, no panic")
		assert.Zero(t, count(s, anchor, anchor.Add(time.Hour)))
		assert.Zero(t, bind(d, anchor).Next(anchor))
	}
	assert.NoError(t, schedule.Every(1).(schedule.Validator).Validate())
}

func TestEveryString(t *testing.T) {
	assert.Equal(t, "every 1m30s", fmt.Sprint(schedule.Every(90*time.Second)))
	assert.Equal(t, "every 1m30s", fmt.Sprint(bind(90*time.Second, anchor)))
}

// A planner that is late at every instant meets each of them, to the nanosecond,
// for a year.
func TestEveryDoesNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const d = 7*time.Minute + 11*time.Second + 13
		start := time.Now()
		s := bind(d, start)
		n := 0
		for next := s.Next(start); next.Before(start.Add(365 * 24 * time.Hour)); next = s.Next(time.Now()) {
			n++
			require.Equal(t, start.Add(time.Duration(n)*d), next)
			time.Sleep(time.Until(next) + time.Duration(n%1000)*time.Millisecond)
		}
		assert.Equal(t, int(365*24*time.Hour/d), n)
		assert.Equal(t, n, count(s, start, start.Add(365*24*time.Hour)))
	})
}

// The anchor and its instants are the same moments in any zone; a change to summer
// time in between is nothing.
func TestEveryInZones(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here: ", err)
	}
	there, here := bind(time.Hour, anchor.In(berlin)), bind(time.Hour, anchor)
	for after := anchor; after.Before(anchor.Add(5 * time.Hour)); after = after.Add(20 * time.Minute) {
		assert.True(t, here.Next(after).Equal(there.Next(after.In(berlin))))
	}
}

// Next and Count tell the same instants: each the first after the one before.
func FuzzEvery(f *testing.F) {
	f.Add(int64(1), int64(0), int64(100))
	f.Add(int64(7919), int64(-5), int64(1_000_003))
	f.Add(int64(math.MaxInt64), int64(0), int64(math.MaxInt64))
	f.Add(int64(time.Second), int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, interval, from, span int64) {
		d := time.Duration(interval)
		s := bind(d, anchor)
		after := anchor.Add(time.Duration(from))
		if interval <= 0 {
			if s.Next(after) != (time.Time{}) || count(s, after, after.Add(time.Duration(span))) != 0 {
				t.Fatalf("instants of an interval of %v", d)
			}
			return
		}
		at := after
		for n := 1; n <= 50; n++ {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("Next(%v) = %v is not after it", at, next)
			}
			if k := next.Sub(anchor); k < d || k%d != 0 {
				t.Fatalf("%v is not anchor + k·d", next)
			}
			if got := s.Next(next.Add(-1)); got != next {
				t.Fatalf("Next just before %v = %v", next, got)
			}
			if got := count(s, after, next); got != n {
				t.Fatalf("Count to the instant number %d = %d", n, got)
			}
			if got := count(s, after, next.Add(-1)); got != n-1 {
				t.Fatalf("Count to just before the instant number %d = %d", n, got)
			}
			at = next
		}
		// Counting is additive.
		if span >= 0 {
			mid, end := after.Add(time.Duration(span/2)), after.Add(time.Duration(span))
			if count(s, after, end) != count(s, after, mid)+count(s, mid, end) {
				t.Fatalf("Count to %v is not the sum of its parts", end)
			}
		}
	})
}
