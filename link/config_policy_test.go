package link_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
)

// Every mistake about what becomes of refused records names its field, its value and
// what would be right, all of them at once.
func TestWrongPolicies(t *testing.T) {
	letters := outlet.Discard()
	for name, test := range map[string]struct {
		config link.Config
		want   []string
	}{
		"all at once": {
			link.Config{
				DeadLetterLimit: link.DeadLetterLimit{Max: 5, Of: 5},
				Lanes: []link.Lane{{
					Outlet: outlet.Discard(),
					Retry:  link.Retry{Tries: -2, Within: -2, Backoff: -2, MaxBackoff: -2, Jitter: math.NaN(), Gap: -time.Second},
					GiveUp: link.GiveUp{Offers: -1, Age: -time.Second},
					OnFull: 9, OnFail: 9, Pending: -2, Timeout: -2,
				}},
			},
			[]string{
				`Lanes[0].Retry.Tries is -2, want more than 0, 0 for 3 or -1 for no bound`,
				`Lanes[0].Retry.Within is -2ns, want more than 0, 0 for 30s or -1 for no bound`,
				`Lanes[0].Retry.Backoff is -2ns, want more than 0, 0 for 1s or -1 for no pause`,
				`Lanes[0].Retry.MaxBackoff is -2ns, want more than 0, 0 for 10s or -1 for no bound`,
				`Lanes[0].Retry.Jitter is NaN, want more than 0 and at most 1, 0 for 0.5 or -1 for none`,
				`Lanes[0].Retry.Gap is -1s, want more than 0, or 0 for none`,
				`Lanes[0].GiveUp.Offers is -1, want more than 0, or 0 for never`,
				`Lanes[0].GiveUp.Age is -1s, want more than 0, or 0 for never`,
				`Lanes[0].GiveUp is set without a DeadLetter, want one to give records up to`,
				`Lanes[0].OnFail is 9, want Keep or Drop`,
				`Lanes[0].OnFull is 9, want Block, DropOldest`,
				`Lanes[0].Pending is -2, want more than 0, 0 for 10000 or -1 for no bound`,
				`Lanes[0].Timeout is -2ns, want more than 0, or 0 or -1 for no bound`,
				`DeadLetterLimit is 5 of 5, want Max to be 0 or more and less than Of`,
			},
		},
		"jitter above 1": {
			link.Config{Lanes: []link.Lane{{Outlet: outlet.Discard(), Retry: link.Retry{Jitter: 1.5}}}},
			[]string{`Lanes[0].Retry.Jitter is 1.5, want more than 0 and at most 1`},
		},
		"give up and drop": {
			link.Config{DeadLetter: letters, Lanes: []link.Lane{{Outlet: outlet.Discard(), GiveUp: link.GiveUp{Offers: 1}, OnFail: link.Drop}}},
			[]string{`Lanes[0].GiveUp is set and OnFail is Drop, which gives records up before, want one of them`},
		},
		"dead letters without an outlet": {
			link.Config{Lanes: []link.Lane{{Outlet: outlet.Discard(), OnFull: link.DeadLetterOldest}}},
			[]string{`Lanes[0].OnFull is DeadLetterOldest without a DeadLetter, want one`},
		},
		"an optional lane that blocks": {
			link.Config{Lanes: []link.Lane{{Outlet: outlet.Discard(), OnFull: link.Block, Optional: true}}},
			[]string{`Lanes[0].OnFull is Block for an optional lane, which stops nothing, want DropOldest`},
		},
		"dead letters that are an outlet": {
			link.Config{Lanes: []link.Lane{{Outlet: letters, DeadLetter: letters}}},
			[]string{`Lanes[0].DeadLetter: discard is Lanes[0].Outlet: a dead-letter outlet is nothing else`},
		},
		"dead letters nowhere": {
			link.Config{Lanes: []link.Lane{{Outlet: outlet.Discard(), DeadLetter: outlet.Func(nil)}}},
			[]string{`Lanes[0].DeadLetter is nil`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Inlets = []inlet.Inlet{inlet.Null()}
			_, err := link.New(test.config)
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}
