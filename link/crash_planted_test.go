package link_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// planted is a fault that the crash test has to find.
type planted struct {
	name  string
	edits []edit
}

// edit replaces old, which the file holds once, by new.
type edit struct{ file, old, new string }

func plant(name, file, old, new string) planted { return planted{name, []edit{{file, old, new}}} }

// and adds an edit.
func (p planted) and(file, old, new string) planted {
	p.edits = append(p.edits, edit{file, old, new})
	return p
}

var plantedFaults = []planted{
	plant("holders ignored", "chain.go", "s.marks[n].at <= s.taken-int64(s.holding.Span)", "s.marks[n].at <= s.taken"),
	plant("holder arithmetic off by one", "chain.go", "s.taken-int64(s.holding.Span)", "s.taken-int64(s.holding.Span)+1"),
	plant("count-only holder", "chain.go", "s.taken-int64(s.holding.Span)", "s.taken-int64(s.holding.Records)"),
	plant("stuck records do not hold back the commit", "chain.go", "	if len(s.stuck) > 0 {\n		return out\n	}\n", "").
		and("chain.go", "at := s.taken + int64(len(s.stuck))", "at := s.taken"),
	plant("out-of-order commit", "commit.go", "		j.newest = j.order[0]\n", "		j.newest = j.order[len(j.order)-1]\n"),
	plant("dropping what failed", "answer.go", "	refused, err := refusals(records, err)\n", "	refused, err := refusals(records, err)\n	refused = nil\n"),
	plant("lost store answer taken for a fence", "commit.go", "		found, rev, getErr := ",
		"		if err != nil {\n			return ErrFenced\n		}\n		found, rev, getErr := "),
	plant("window not restored at start", "source.go", "	s.from = at.from\n", ""),

	plant("remainder off by one", "policy.go", "refusal{i, records[i], p.Failed[i]}", "refusal{i, records[max(i-1, 0)], p.Failed[i]}"),
	plant("barrier passes pending records of another lane", "hand.go", "b.left = l.required()", "b.left = min(l.required(), 1)"),
	plant("commit before delivery", "hand.go", "		b.handed = true\n", "		b.handed, b.settled = true, true\n"),
	plant("window moves with a failed pull", "source.go", "	if err == nil {\n		s.from = due\n	}\n", "	s.from = due\n"),
	plant("failed commit is forgotten", "commit.go", "			if j.newest == nil {\n				j.newest = b\n			}\n", ""),
	plant("numbers begin again", "lifecycle.go", "read.stored.Number+1", "read.stored.Number"),
	plant("filtered records miscounted", "chain.go", "		d.filtered += lost\n", "		d.filtered += max(lost-1, 0)\n"),
	plant("outlets share a slice", "offer.go", "	if ln.copier == nil {\n", "	if true {\n"),
	plant("newer records pass refused ones", "answer.go", "	e.records = left\n", "	e.records = left\n	if ln.queue.len() > 1 {\n		f := &ln.queue\n		f.entries[f.first], f.entries[f.first+1] = f.entries[f.first+1], f.entries[f.first]\n	}\n"),

	plant("queue off by one after a partial answer", "answer.go", "append(left, r.record)", "append(left, refused[max(i-1, 0)].record)"),
	plant("a refused dead letter is forgotten", "answer.go", "			fates[i] = kept\n", ""),
	plant("a refused dead letter of a stage is forgotten", "letterbox.go", "		left = append(left, r)\n", ""),
	plant("barriers count dead letters of stages", "chain.go", "	s.vanish(dead)\n", "").
		and("chain.go", "	s.taken += int64(took)\n", "	s.taken += int64(took + len(dead))\n"),
	plant("a full lane forgets a refused dead letter", "room.go", "		if !written[i] {\n", "		if !written[i] && i >= len(records) {\n"),
	plant("newer records pass what is spooled", "spill.go", "return sp != nil && sp.unread && !sp.ahead", "return sp != nil && sp.unread && !sp.ahead && len(sp.seqs) > 0"),
	plant("an older record is spooled behind newer ones", "spill.go", " || ln.burying || ln.spill.ahead)", " || ln.burying || ln.spill.seqs != nil)"),
	plant("a barrier passes a call beside the spool", "spill.go", "		if ln.spill.seqs != nil {\n			at++", "		if true {\n			at++"),
	plant("what is released counts as delivered", "chain.go", "	s.holding = holding\n", "	s.holding = holding\n	c.settle(ctx, fail)\n"),
	plant("a receipt is for what is released later, too", "settle.go", "receipt{s, released})", "receipt{s, released + 3})"),
	plant("what is delivered stays in the spool of a buffer", "settle.go", "	s.told = released\n", "	s.told = 1 << 62\n"),
	plant("another try offers everything", "answer.go", "	e.records = left\n", "	if !again {\n		e.records = left\n	}\n"),
}

// obvious is how many faults, the first ones, are those that the obvious ways of
// delivering have.
const obvious = 8

// The crash test finds every planted fault, and none where there is none. Each is
// compiled as a change of the package, without the other tests.
func TestCrashFindsPlantedFaults(t *testing.T) {
	if testing.Short() || crashRaced {
		t.Skip("SKIPPED with -short and with -race: it compiles package link many times; go test ./link runs it")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	const runs = "2500"
	places := make(chan bool, 2)
	all := append([]planted{{name: "none"}}, plantedFaults...)
	for i, fault := range all {
		t.Run(fault.name, func(t *testing.T) {
			if i > obvious && os.Getenv("CI") != "true" && os.Getenv("DATABAY_INTEGRATION") != "1" {
				t.Skip("SKIPPED: it takes seconds, and is compiled and found with CI=true or DATABAY_INTEGRATION=1")
			}
			t.Parallel()
			places <- true
			defer func() { <-places }()
			start := time.Now()
			overlay := fault.overlay(t)
			cmd := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-overlay="+overlay, "-run=^TestCrash$", "-crash.runs="+runs, ".")
			out, err := cmd.CombinedOutput()
			if len(fault.edits) == 0 {
				require.NoErrorf(t, err, "%.3000s", out)
				return
			}
			require.Error(t, err, "the crash test does not find the fault in %s pipelines", runs)
			require.Contains(t, string(out), "--- FAIL: TestCrash", "it does not compile, or fails otherwise:\n%.3000s", out)
			found := strings.SplitN(string(out), "\n", 5)
			t.Logf("found in %v: %.250s", time.Since(start).Round(10*time.Millisecond), strings.TrimSpace(strings.Join(found[3:4], "")))
		})
	}
}

// overlay writes the changed files, and an overlay in which they are in the place of
// the true ones and all that the crash test does not need is gone. It returns the
// overlay's name.
func (p planted) overlay(t *testing.T) string {
	t.Helper()
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	dir := t.TempDir()
	replace := make(map[string]string)
	tests, err := filepath.Glob(filepath.Join(here, "*_test.go"))
	require.NoError(t, err)
	for _, test := range tests {
		name := filepath.Base(test)
		if !strings.HasPrefix(name, "crash_") || name == "crash_planted_test.go" || name == "crash_regress_test.go" {
			replace[test] = ""
		}
	}
	texts := make(map[string]string)
	for _, e := range p.edits {
		text, ok := texts[e.file]
		if !ok {
			content, err := os.ReadFile(e.file)
			require.NoError(t, err)
			text = string(content)
		}
		assert.Equalf(t, 1, strings.Count(text, e.old), "%s has to hold this once, update the table of faults:\n%s", e.file, e.old)
		texts[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	if t.Failed() {
		t.FailNow()
	}
	for file, text := range texts {
		changed := filepath.Join(dir, file)
		require.NoError(t, os.WriteFile(changed, []byte(text), 0o600))
		replace[filepath.Join(here, file)] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	name := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(name, overlay, 0o600))
	return name
}
