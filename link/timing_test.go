package link_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
)

// Every mistake about instants names its field, its value and what would be right.
func TestWrongTiming(t *testing.T) {
	for name, test := range map[string]struct {
		config link.Config
		want   []string
	}{
		"all at once": {
			link.Config{Overlap: 9, Misfire: link.Misfire{Policy: 9, Max: -1, Grace: -2}},
			[]string{
				`Overlap is 9, want Skip, Queue or CancelPrevious`,
				`Misfire.Policy is 9, want RunOnce, SkipLate or RunAll`,
				`Misfire.Max is -1, want 1 to 1000, or 0 for 100`,
				`Misfire.Grace is -2ns, want more than 0, 0 for a default or -1 for any time`,
			},
		},
		"too many": {
			link.Config{Misfire: link.Misfire{Policy: link.RunAll, Max: 1001}},
			[]string{`Misfire.Max is 1001, want 1 to 1000, or 0 for 100`},
		},
		"many of one": {
			link.Config{Misfire: link.Misfire{Max: 3}},
			[]string{`Misfire.Max is 3 without the Policy RunAll, want 0`},
		},
		"skip nothing": {
			link.Config{Misfire: link.Misfire{Policy: link.SkipLate, Grace: -1}},
			[]string{`Misfire.Grace is -1 with the Policy SkipLate, want more than 0, or 0 for 1s`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Name = "l"
			_, err := link.New(test.config)
			require.ErrorContains(t, err, "Inlets is empty", "with all others")
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// What planners are told has every default value in its place.
func TestTiming(t *testing.T) {
	for name, test := range map[string]struct {
		overlap link.Overlap
		misfire link.Misfire
		most    int
		grace   time.Duration
	}{
		"nothing":       {link.Skip, link.Misfire{}, 1, 0},
		"once, in time": {link.Queue, link.Misfire{Grace: time.Minute}, 1, time.Minute},
		"once":          {link.CancelPrevious, link.Misfire{Grace: -1}, 1, 0},
		"skip":          {link.Skip, link.Misfire{Policy: link.SkipLate}, 1, time.Second},
		"skip, at once": {link.Skip, link.Misfire{Policy: link.SkipLate, Grace: 1}, 1, 1},
		"all":           {link.Queue, link.Misfire{Policy: link.RunAll}, 100, 0},
		"all, in time":  {link.Queue, link.Misfire{Policy: link.RunAll, Max: 1000, Grace: time.Hour}, 1000, time.Hour},
		"all there is":  {link.Queue, link.Misfire{Policy: link.RunAll, Max: 2, Grace: -1}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := link.New(link.Config{
				Inlets: []inlet.Inlet{inlet.Null()}, Outlets: []outlet.Outlet{outlet.Discard()},
				Overlap: test.overlap, Misfire: test.misfire,
			})
			require.NoError(t, err)
			assert.Equal(t, test.overlap, l.Overlap())
			most, grace := l.Misfire()
			assert.Equal(t, test.most, most)
			assert.Equal(t, test.grace, grace)
		})
	}
}
