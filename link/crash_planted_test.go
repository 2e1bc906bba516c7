package link_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// planted are faults that the crash test has to find: old is replaced by new in a
// copy of the file, which must hold it once.
var planted = []struct{ name, file, old, new string }{
	{"stuck records do not hold back the commit", "chain.go", "	if len(s.stuck) > 0 {\n		return out\n	}\n	n := 0", "	if len(s.stuck) > 0 {\n		for _, m := range s.marks {\n			out = append(out, m.b)\n		}\n		s.marks = nil\n		return out\n	}\n	n := 0"},
	{"holders ignored", "chain.go", "s.marks[n].at <= s.taken-int64(s.holding.Span)", "true"},
	{"holder arithmetic off by one", "chain.go", "s.marks[n].at <= s.taken-int64(s.holding.Span)", "s.marks[n].at <= s.taken-int64(s.holding.Span)+1"},
	{"count-only holder", "chain.go", "s.taken-int64(s.holding.Span)", "s.taken-int64(s.holding.Records)"},
	{"out-of-order commit", "commit.go", "len(j.order) > 0 && j.order[0].settled", "len(j.order) > 0 && b.settled"},
	{"dropping what failed", "lane.go", "	e.records = rest\n", "	e.records = nil\n"},
	{"lost store answer taken for a fence", "commit.go", "		switch {\n		case bytes.Equal(found, value):", "		switch {\n		case true:\n			return ErrFenced\n		case bytes.Equal(found, value):"},
	{"window not restored at start", "source.go", "	s.from, s.position = at.from, at.position\n", "	s.position = at.position\n"},
}

// The crash test finds every fault that is planted in a copy of the package, and
// none where there is none.
func TestCrashFindsPlantedFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: it compiles package link nine times")
	}
	crash := func(t *testing.T, file, text string) (string, error) {
		dir := t.TempDir()
		changed := filepath.Join(dir, file)
		require.NoError(t, os.WriteFile(changed, []byte(text), 0o600))
		here, err := filepath.Abs(file)
		require.NoError(t, err)
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: changed}})
		require.NoError(t, err)
		list := filepath.Join(dir, "overlay.json")
		require.NoError(t, os.WriteFile(list, overlay, 0o600))
		out, err := exec.Command("go", "test", "-overlay="+list, "-run=TestCrash$", "-crash.runs=1500", ".").CombinedOutput()
		return string(out), err
	}
	for _, fault := range planted {
		t.Run(fault.name, func(t *testing.T) {
			text, err := os.ReadFile(fault.file)
			require.NoError(t, err)
			require.Equalf(t, 1, strings.Count(string(text), fault.old), "%s has to hold the text once: mend the table", fault.file)
			out, err := crash(t, fault.file, strings.Replace(string(text), fault.old, fault.new, 1))
			require.Error(t, err, "the fault was not found")
			assert.Contains(t, out, "--- FAIL: TestCrash", "it does not compile, or failed otherwise:\n%.2000s", out)
		})
	}
	t.Run("no fault", func(t *testing.T) {
		text, err := os.ReadFile("chain.go")
		require.NoError(t, err)
		out, err := crash(t, "chain.go", string(text)+"\n")
		require.NoErrorf(t, err, "%.2000s", out)
	})
}
