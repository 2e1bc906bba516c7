package link_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/link"
)

func TestRetryPause(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return since.Add(d) }
	even := link.Retry{Jitter: -1}
	tests := map[string]struct {
		retry  link.Retry
		count  int
		now    time.Duration // since the first refusal
		next   time.Time
		after  time.Duration
		random float64
		want   time.Duration // below 0: none
	}{
		"default, first":         {link.Retry{}, 1, 0, time.Time{}, 0, 0, time.Second},
		"default, jitter":        {link.Retry{}, 1, 0, time.Time{}, 0, 0.5, 750 * time.Millisecond},
		"default, second":        {link.Retry{}, 2, 0, time.Time{}, 0, 0, 2 * time.Second},
		"default, all tries":     {link.Retry{}, 3, 0, time.Time{}, 0, 0, -1},
		"default, in time":       {link.Retry{}, 2, 28 * time.Second, time.Time{}, 0, 0, 2 * time.Second},
		"default, too late":      {link.Retry{}, 2, 28*time.Second + 1, time.Time{}, 0, 0, -1},
		"one try":                {link.Retry{Tries: 1}, 1, 0, time.Time{}, 0, 0, -1},
		"no bound on tries":      {link.Retry{Tries: -1, Jitter: -1}, 5, 0, time.Time{}, 0, 0, 10 * time.Second},
		"no bound at all":        {link.Retry{Tries: -1, Within: -1, Jitter: -1}, 1 << 20, time.Hour, time.Time{}, 0, 0, 10 * time.Second},
		"no bound of the pause":  {link.Retry{Tries: -1, Within: -1, MaxBackoff: -1, Jitter: -1}, 6, 0, time.Time{}, 0, 0, 32 * time.Second},
		"a pause without end":    {link.Retry{Tries: -1, Within: -1, MaxBackoff: -1, Jitter: -1}, 1 << 20, 0, time.Time{}, 0, 0, math.MaxInt64 / 4},
		"no pause":               {link.Retry{Backoff: -1}, 2, 0, time.Time{}, 0, 0, 0},
		"all is random":          {link.Retry{Jitter: 1}, 1, 0, time.Time{}, 0, 0.75, 250 * time.Millisecond},
		"before the next due":    {even, 1, 0, at(time.Second + 1), 0, 0, time.Second},
		"at the next due":        {even, 1, 0, at(time.Second), 0, 0, -1},
		"after the next due":     {even, 1, 0, at(-time.Second), 0, 0, -1},
		"retry after, longer":    {even, 1, 0, time.Time{}, 5 * time.Second, 0, 5 * time.Second},
		"retry after, shorter":   {even, 2, 0, time.Time{}, time.Second, 0, 2 * time.Second},
		"retry after, too long":  {even, 1, 0, time.Time{}, 31 * time.Second, 0, -1},
		"retry after, past due":  {even, 1, 0, at(3 * time.Second), 4 * time.Second, 0, -1},
		"time before the tries":  {link.Retry{Tries: -1, Within: 3 * time.Second, Jitter: -1}, 2, 2 * time.Second, time.Time{}, 0, 0, -1},
		"jitter never goes over": {link.Retry{Jitter: 1}, 1, 0, time.Time{}, 0, 0.999, time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait, again := link.RetryPause(tt.retry, tt.count, since, at(tt.now), tt.next, tt.after, tt.random)
			assert.Equal(t, tt.want >= 0, again)
			assert.InDelta(t, max(0, tt.want), wait, float64(time.Microsecond))
		})
	}
}
