package csvoutlet_test

import (
	"strconv"
	"testing"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opts   *csvoutlet.Options
		sample func(n, text string) any
	}{
		"maps":     {nil, func(n, text string) any { return row{"n": n, "text": text} }},
		"strings":  {&csvoutlet.Options{CRLF: true, Sync: csvoutlet.SyncInterval}, func(n, text string) any { return map[string]string{"n": n, "text": text} }},
		"pointers": {&csvoutlet.Options{Truncate: true, MaxOpen: 1, Sync: csvoutlet.SyncPush}, func(n, text string) any { return &struct{ N, Text string }{n, text} }},
		"lists":    {&csvoutlet.Options{Columns: []string{"n", "text"}}, func(n, text string) any { return []string{n, text} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				file := path(t)
				return csvoutlet.New(file, test.opts), func() []record.Record {
					var written []record.Record
					for i, line := range existing(t, file) {
						if i > 0 { // below the header
							written = append(written, record.New(test.sample(line[0], line[1])))
						}
					}
					return written
				}
			}, func(i int) record.Record {
				return record.New(test.sample(strconv.Itoa(i), "some \"text\",\nof two lines"))
			}, nil)
		})
	}
}
