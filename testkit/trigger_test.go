package testkit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/testkit"
)

// TestTriggerDoubles has, for every rule, triggers that exactly this rule catches.
func TestTriggerDoubles(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, d := range []struct{ rule, fault string }{
		{"instants", "sleeps no less than 2 ms"},
		{"instants", "Due of the one before"},
		{"no drift", "a nanosecond more each time"},
		{"many schedules", "no more than 100"},
		{"same instant", "two of three"},
		{"end of a schedule", "zero is due"},
		{"end of a schedule", "ends all"},
		{"instant that has passed", "makes up at first"},
		{"instant that has passed", "skips"},
		{"late", "makes up later"},
		{"one emit of an id at a time", "on goroutines"},
		{"panicking schedule", "ends all that panics"},
		{"add after start", "known ids only"},
		{"earlier than the others", "woken later"},
		{"remove", "goes on"},
		{"remove", "before the start it does nothing"},
		{"remove unknown", "panics"},
		{"add again", "refused"},
		{"id in use", "replaced"},
		{"id in use", "replaced and refused"},
		{"calls from inside emit", "waits for itself"},
		{"calls from inside emit", "refused inside"},
		{"concurrent calls", "loses some"},
		{"start once", "twice"},
		{"nothing after stop", "one more"},
		{"stop waits", "does not"},
		{"stop from inside emit", "never returns"},
		{"stop from inside emit", "goes on after it"},
		{"stop twice", "panics at the second"},
		{"stop before start", "starts all the same"},
		{"stop before start", "panics before the start"},
		{"add after stop", "accepted"},
		{"add after stop", "remove panics"},
		{"goroutines", "one is left"},
	} {
		rules[d.rule] = true
		t.Run(d.rule+"/"+d.fault, func(t *testing.T) {
			t.Parallel()
			exactly(t, d.rule, testkit.JudgeTrigger(t, func() planner.Trigger { return newClock(d.fault) }))
		})
	}
	complete(t, testkit.TriggerRules(), rules)
}

func TestTriggerGoodDouble(t *testing.T) {
	t.Parallel()
	v := testkit.JudgeTrigger(t, func() planner.Trigger { return newClock("") })
	assert.Empty(t, v.Broken)
	assert.Empty(t, v.Skipped)
}
