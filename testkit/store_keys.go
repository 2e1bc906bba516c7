package testkit

import (
	"fmt"
	"strings"
)

// keyChecks are the rules of keys.
func keyChecks() []check[*storeTrial] {
	return []check[*storeTrial]{
		{
			name: "keys apart",
			why:  "keys are bytes: those that differ in case, in a space at the end, in how an accent is written or in a wildcard are different keys, and the empty one is one, too",
			run: func(c *storeTrial) error {
				v := c.fresh()
				keys := []string{
					"", " ", "a", "A", "a ", "a  ", " a", "a\t", "a\x00", "\x00", "a\n", "a/b", "a/b/", "/a/b", "a//b", "../a", `a\b`, `a'b`, `a"b`, "a`b",
					"é", "e\u0301", "É", "ß", "ss", "ı", "i", "ﬁ", "日本語", "😀", "\u200b", "\xff\xfe", "a%", "a_", "%", "_", "*", "NULL", "0", "00",
				}
				revs := make(map[string]int64)
				for i, key := range keys {
					rev, err := v.keeps(key, fmt.Sprint("value ", i))
					if err != nil {
						return err
					}
					revs[key] = rev
				}
				for i, key := range keys {
					if err := v.holds(key, fmt.Sprint("value ", i), revs[key]); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "long keys",
			why:  "a key of 200 bytes is an ordinary one; one that is too long is an error, which is not state.ErrConflict, and never cut off",
			run:  longKeys,
		},
	}
}

func longKeys(c *storeTrial) error {
	v := c.fresh()
	const ordinary, longest = 200, 100_000
	most := c.opts.MaxKey
	switch {
	case most == 0:
		most = longest
	case most < ordinary:
		return fmt.Errorf("options: MaxKey is %d, want at least %d, or 0 for no limit", most, ordinary)
	}
	for _, n := range []int{ordinary, most} {
		a, b := strings.Repeat("k", n-1)+"a", strings.Repeat("k", n-1)+"b"
		rev, err := v.keeps(a, "a")
		if err == nil {
			_, err = v.keeps(b, "b")
		}
		if err == nil {
			err = v.holds(a, "a", rev)
		}
		if err != nil {
			return fmt.Errorf("keys of %d bytes: %w", n, err)
		}
	}
	if c.opts.MaxKey == 0 {
		return nil
	}
	for _, n := range []int{most + 1, 2 * most, longest + most} {
		key := strings.Repeat("k", n)
		for _, rev := range []int64{0, 1} {
			_, err := v.write(v.context(), key, []byte("long"), rev)
			if err := notConflict(fmt.Sprintf("Put of a key of %d bytes", n), err); err != nil {
				return err
			}
		}
		if s, err := v.read(v.context(), key); isMishap(err) || err == nil && s.rev != 0 {
			return fmt.Errorf("Get of a key of %d bytes returned %v and %v, want an error or nothing", n, s, err)
		}
	}
	return v.holds(strings.Repeat("k", most), "", 0) // which is what the long ones begin with
}
