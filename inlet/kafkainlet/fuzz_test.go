package kafkainlet_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/kafkainlet"
)

// Whatever the position, a commit says whether it is one, and commits nothing of
// partitions that the member does not have.
func FuzzCommit(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"orders":{"0":{"next":7,"epoch":1,"assigned":"f"}}}`, `{"orders":{"-1":{"next":-7}}}`, `{"orders":{"x":{}}}`, "[", "null", `{"a":null}`} {
		f.Add([]byte(seed))
	}
	_, at := cluster(f, 1)
	c := client(f, at)
	produce(f, c, 1, 0, 1)
	in := started(f, at, "g", lively(kafkainlet.Options{}))
	pullN(f, in, 1)
	f.Fuzz(func(t *testing.T, position []byte) {
		err := in.Commit(t.Context(), position)
		if len(position) > 0 && !json.Valid(position) {
			require.Error(t, err)
		}
		assert.False(t, errors.Is(err, kafkainlet.ErrFenced))
		assert.Empty(t, committed(t, c, "g"))
	})
}
