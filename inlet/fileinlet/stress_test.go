package fileinlet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// Files are renamed, and copied and truncated, at any moment of a pull.
func TestRotationDuringPulls(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	write(t, filepath.Join(dir, "state"), "")
	path := filepath.Join(dir, "app.log")
	w := &writer{t: t, path: path, random: rand.New(rand.NewPCG(rand.Uint64(), 0)), copies: true, hasty: true}
	write(t, path, "")
	in := started(t, path, &fileinlet.Options{Wait: true})
	var over atomic.Bool
	result := make(chan error)
	lines := 0
	go func() {
		var err error
		lines, err = count(t.Context(), in, &over)
		result <- err
	}()
	w.run(time.Second)
	over.Store(true)
	require.NoError(t, <-result)
	require.Equal(t, w.lines, lines)
	t.Logf("%d lines, %d rotations", w.lines, w.rotations)
}

// count pulls numbered lines until they are over, and returns how many they were. It
// sets the inlet to where it stands now and then.
func count(ctx context.Context, in *fileinlet.Inlet, over *atomic.Bool) (next int, err error) {
	for {
		last := over.Load()
		records, err := in.Pull(ctx, record.Update{})
		if err != nil {
			return next, err
		}
		for _, r := range records {
			if r.Payload != strconv.Itoa(next) {
				return next, fmt.Errorf("line %v (%s) came where %d is due", r.Payload, r.ID(), next)
			}
			next++
		}
		if last && len(records) == 0 {
			return next, nil
		}
		if next%7 == 0 {
			// If files are renamed all the time, nothing has changed.
			if err := in.Seek(ctx, in.Position()); err != nil && !strings.Contains(err.Error(), "renamed all the time") {
				return next, err
			}
		}
	}
}
