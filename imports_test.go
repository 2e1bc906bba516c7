package databay_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/databay-go/databay"

// core is what every program links, and what each of it may import of ours.
var core = map[string][]string{
	"record":   nil,                 // the vocabulary, at the bottom
	"schedule": nil,                 // arithmetic over time
	"state":    nil,                 // a store knows keys and bytes only
	"inlet":    {"record"},          // an author of inlets reads two packages
	"outlet":   {"record"},          // the same
	"spool":    {"record"},          // where records overflow to
	"buffer":   {"record", "spool"}, // a Processor like any other, which may overflow
	"link":     {"record", "inlet", "outlet", "schedule", "state", "spool"},
	"planner":  {"record", "schedule", "link", "planner/internal/goroutine"},

	"planner/internal/goroutine": nil, // which goroutine calls: a part of planner
}

// allowed is what packages outside of the core may import besides the standard
// library: modules, and packages of ours.
var allowed = map[string][]string{
	"inlet/fileinlet":  {"record", "inlet", "golang.org/x/text"}, // encodings
	"inlet/httpinlet":  {"record", "inlet", "internal/httpclient", "github.com/go-resty/resty/v2"},
	"inlet/kafkainlet": {"record", "inlet", "internal/kafkaclient", "github.com/twmb/franz-go"},
	"inlet/sqlinlet":   {"record", "inlet", "internal/sqldb"}, // no driver: that is the user's
	"inlet/stdininlet": {"record", "inlet"},

	"outlet/csvoutlet":         {"record", "outlet", "outlet/internal/appendfile"},
	"outlet/fileoutlet":        {"record", "outlet", "outlet/internal/appendfile", "golang.org/x/text"},
	"outlet/httpoutlet":        {"record", "outlet", "internal/httpclient", "github.com/go-resty/resty/v2"},
	"outlet/kafkaoutlet":       {"record", "outlet", "internal/kafkaclient", "github.com/twmb/franz-go"},
	"outlet/mongooutlet":       {"record", "outlet", "go.mongodb.org/mongo-driver/v2"},
	"outlet/sqloutlet":         {"record", "state", "outlet", "internal/sqldb"},
	"outlet/sqloutlet/pgxcopy": {"github.com/jackc/pgx/v5"}, // apart, so that sqloutlet does not link pgx

	"state/boltstate": {"state", "internal/boltfile", "go.etcd.io/bbolt"},
	"state/sqlstate":  {"state"}, // no driver either
	"spool/boltspool": {"record", "spool", "internal/boltfile", "go.etcd.io/bbolt"},

	"planner/gocronplanner": {"link", "schedule", "planner", "github.com/go-co-op/gocron/v2"},

	// What several connectors of one product share.
	"internal/boltfile":          {"go.etcd.io/bbolt"},
	"internal/httpclient":        {"github.com/go-resty/resty/v2"},
	"internal/kafkaclient":       {"github.com/twmb/franz-go"}, // kfake is for tests
	"internal/sqldb":             nil,
	"outlet/internal/appendfile": {"record"},

	"internal/testserver": nil, // real servers, for tests alone
}

type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Name         string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) (all []pkg) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Name,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		for _, file := range p.GoFiles { // so that go test runs again, and takes no cached result, when one changes
			_, err := os.Stat(filepath.Join(p.Dir, file))
			require.NoError(t, err)
		}
		all = append(all, p)
	}
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// Imports point one way, and a dependency stays in the one package that needs it.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, imp := range p.Imports {
			own, ours := strings.CutPrefix(imp, module+"/")
			may, isCore := core[name]
			switch {
			case imp == "testing":
				assert.Containsf(t, []string{"testkit", "internal/testserver"}, name, "%s imports testing: only tests and testkit do, so that programs do not link it", name)
			case standard(imp):
			case strings.HasPrefix(imp, "github.com/stretchr/testify"):
				assert.Failf(t, "testify outside of tests", "%s imports testify", name)
			case own == "testkit":
				assert.Failf(t, "testkit outside of tests", "%s imports testkit", name)
			case isCore:
				assert.Truef(t, ours && slices.Contains(may, own), "%s, of the core, imports %s", name, imp)
			case ours && (name == "testkit" || strings.HasPrefix(name, "planner/internal/")):
				_, ok := core[own]
				assert.Truef(t, ok, "%s imports %s, which is not of the core", name, imp)
			case strings.HasPrefix(name, "examples/") || name == "internal/bench" || name == "internal/crash": // programs
			case allowed[name] != nil:
				if ours {
					imp = own
				}
				assert.Truef(t, slices.ContainsFunc(allowed[name], func(a string) bool { return imp == a || strings.HasPrefix(imp, a+"/") }),
					"%s imports %s, which is not in its list", name, imp)
			default:
				assert.Failf(t, "package without a rule", "%s imports %s: add a rule to imports_test.go", name, imp)
			}
		}
		assert.NotEqualf(t, "util", p.Name, "%s", name)
	}
}

// A program that imports only the core links the standard library and nothing
// else, and is small.
func TestCoreProgram(t *testing.T) {
	t.Parallel()
	main := filepath.Join(t.TempDir(), "main.go")
	var src strings.Builder
	src.WriteString("package main\n\nimport (\n")
	for name := range core {
		if strings.Contains(name, "internal/") {
			continue
		}
		src.WriteString("\t_ \"" + module + "/" + name + "\"\n")
	}
	src.WriteString("\t\"context\"\n\n\t\"" + module + "/planner\"\n)\n\nfunc main() { _ = planner.Run(context.Background()) }\n")
	require.NoError(t, os.WriteFile(main, []byte(src.String()), 0o600))

	out, err := exec.Command("go", "list", "-deps", main).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for path := range strings.FieldsSeq(string(out)) {
		_, isCore := core[strings.TrimPrefix(path, module+"/")]
		assert.Truef(t, standard(path) || isCore || path == "command-line-arguments", "the core depends on %s", path)
	}

	binary := filepath.Join(t.TempDir(), "core")
	build := exec.Command("go", "build", "-o", binary, main)
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err = build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(binary)
	require.NoError(t, err)
	t.Logf("a program of the core is %.2f MiB", float64(info.Size())/(1<<20))
	assert.LessOrEqual(t, info.Size(), int64(4<<20), "a program of the core has at most 4 MiB")
}

// A module that uses the core alone gets none of the other packages' dependencies:
// module pruning keeps them out of its go.mod.
func TestPruning(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("go.mod", "module example.org/user\n\ngo 1.26\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+here+"\n")
	write("main.go", "package main\n\nimport \""+module+"/link\"\n\nfunc main() { _, _ = link.New(link.Config{}) }\n")
	tidy := exec.Command("go", "mod", "tidy")
	tidy.Dir = dir
	out, err := tidy.CombinedOutput()
	require.NoError(t, err, "%s", out)
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	for _, dependency := range []string{"gocron", "resty", "mongo-driver", "franz-go", "bbolt", "pgx", "mysql", "sqlite", "testify"} {
		assert.NotContains(t, string(mod), dependency)
	}
}
