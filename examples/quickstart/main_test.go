package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
)

var account = regexp.MustCompile(`^pulled (\d+) filtered (\d+) held 0 pending 0 delivered (\d+) dropped 0 balanced$`)

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

// The program as it is run, for a second and a half on either planner.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"ticker", "gocron"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "new")
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), []string{"-for", "1500ms", "-planner", by, "-out", folder, "-min", "1.5"}, &out))

			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			numbers := account.FindStringSubmatch(lines[len(lines)-1])
			require.NotNil(t, numbers, "the last line is the account: %s", out.String())
			pulled, filtered, delivered := number(t, numbers[1]), number(t, numbers[2]), number(t, numbers[3])
			assert.Positive(t, filtered)
			assert.Positive(t, delivered)
			assert.Equal(t, pulled, filtered+delivered)

			file, err := os.Open(filepath.Join(folder, "quakes.csv"))
			require.NoError(t, err)
			defer func() { _ = file.Close() }()
			rows, err := csv.NewReader(file).ReadAll()
			require.NoError(t, err)
			assert.Equal(t, []string{"id", "time", "magnitude", "place", "depth_km", "longitude", "latitude"}, rows[0])
			assert.Len(t, rows, delivered+1)
			for _, row := range rows[1:] {
				magnitude, err := strconv.ParseFloat(row[2], 64)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, magnitude, 1.5)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for want, args := range map[string][]string{
		`-planner is "cron", want ticker or gocron`: {"-planner", "cron"},
		"-for is -1s, want 0 or more":               {"-for", "-1s"},
		"not a directory":                           {"-out", file, "-for", "1s"},
	} {
		require.ErrorContains(t, run(t.Context(), args, io.Discard), want)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	at := time.Date(2018, 2, 6, 15, 50, 0, 0, time.UTC)
	var out bytes.Buffer
	s := newSummary(&out)
	push := func(number int64, payloads ...any) error {
		var records []record.Record
		for _, p := range payloads {
			records = append(records, record.New(p))
		}
		return s.Push(context.Background(), records, record.Update{Number: number, Reason: record.Flush})
	}
	require.NoError(t, push(3))
	require.NoError(t, push(4, Quake{Magnitude: 6.1, Time: at, Place: "Hualien, Taiwan"}, Quake{Magnitude: 6.4, Time: at.Add(time.Hour), Place: "18km NNE of Hualien, Taiwan"}))
	require.NoError(t, push(4, Quake{Magnitude: -0.5, Time: at, Place: "somewhere"}))
	require.NoError(t, push(7, Quake{Magnitude: 6, Time: at, Place: "elsewhere"}))
	assert.Equal(t, `
transfer 4, flush
  M 6   2 new    2 so far   strongest  6.40, 6 Feb 16:50, 18km NNE of Hualien, Taiwan
  M 0   1 new    1 so far   strongest -0.50, 6 Feb 15:50, somewhere

transfer 7, flush
  M 6   1 new    3 so far   strongest  6.00, 6 Feb 15:50, elsewhere
`, out.String())

	require.Error(t, push(8, "no quake"))
	s.w = brokenWriter{}
	require.ErrorIs(t, push(9, Quake{}), io.ErrClosedPipe)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.Join(io.ErrClosedPipe) }
