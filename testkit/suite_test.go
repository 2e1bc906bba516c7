package testkit_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

var errBroken = errors.New("it is broken")

// hour is what doubles that never return sleep instead, so that bubbles end.
const hour = time.Hour

// long is longer than "soon", and shorter than any call may take.
const long = 10 * time.Second

// sample has a payload that can be changed.
func sample(i int) record.Record { return record.New(map[string]any{"n": i}) }

// exactly checks that a double broke the one rule that it is there for.
func exactly(t *testing.T, rule string, v testkit.Verdict) {
	t.Helper()
	for name, err := range v.Broken {
		if name != rule {
			assert.Fail(t, "another rule caught it", "%s: %v", name, err)
		}
	}
	if v.Broken[rule] == nil {
		assert.Fail(t, "the rule did not catch it", "%s: skipped: %q", rule, v.Skipped[rule])
		return
	}
	t.Logf("%s: %v", rule, v.Broken[rule])
}

// complete checks that there is a double for every rule, and none for others.
func complete(t *testing.T, rules []string, doubles map[string]bool) {
	t.Helper()
	seen := make(map[string]bool)
	for _, rule := range rules {
		assert.False(t, seen[rule], "two rules are called %q", rule)
		seen[rule] = true
		assert.True(t, doubles[rule], "no double breaks the rule %q", rule)
	}
	for _, rule := range slices.Sorted(maps.Keys(doubles)) {
		assert.True(t, seen[rule], "a double breaks %q, which is no rule", rule)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	assert.NoError(t, testkit.ValidSkip(nil))
	assert.NoError(t, testkit.ValidSkip(map[string]string{"name": "it has none"}))
	assert.ErrorContains(t, testkit.ValidSkip(map[string]string{"name": ""}), `Skip has "name" without a reason`)
	err := testkit.ValidSkip(map[string]string{"no such rule": "why", "name": ""})
	assert.ErrorContains(t, err, `"no such rule", which is no rule; the rules are: valid, ended context,`)
	assert.ErrorContains(t, err, `"name" without a reason`)
}
