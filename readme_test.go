package databay_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages are what readers find beside the code.
var pages = []string{"README.md", "DELIVERY.md", "CONTRIBUTING.md"}

// around is what the snippets of the pages leave out.
const around = `package snippets

import (
	"context"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/testkit"
)

type Todo struct{ Done bool }

type Order struct{ ID int64 }

type service struct{}

func (service) OrdersAfter(context.Context, int64) ([]Order, error) { return nil, nil }
func (service) Post(context.Context, Order) error                    { return nil }
func (service) Insert(context.Context, []Order) error                { return nil }

var (
	api, db service
	store   outlet.Outlet
)

func NewTail(path string) inlet.Inlet       { return nil }
func hourly(sink *testkit.Sink) *link.Link { return nil }
`

var (
	snippet  = regexp.MustCompile("(?s)```go\n(.*?)```")
	variable = regexp.MustCompile(`(?m)^(\w+)\s*:= `)
)

// What the pages show compiles.
func TestSnippets(t *testing.T) {
	t.Parallel()
	imports := map[string]string{"require": "github.com/stretchr/testify/require"}
	for _, p := range packages(t) {
		if p.Name != "main" && !strings.Contains(p.ImportPath, "internal/") {
			imports[p.Name] = p.ImportPath
		}
	}
	for _, p := range []string{"context", "errors", "fmt", "log", "os", "os/signal", "testing", "testing/synctest", "time"} {
		imports[filepath.Base(p)] = p
	}
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "around.go")}
	require.NoError(t, os.WriteFile(files[0], []byte(around), 0o600))
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for i, m := range snippet.FindAllStringSubmatch(string(text), -1) {
			code := m[1]
			var src strings.Builder
			src.WriteString("package snippets\n\n")
			for name, path := range imports {
				if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(code) {
					fmt.Fprintf(&src, "import %q\n", path)
				}
			}
			if !strings.HasPrefix(code, "func ") {
				for _, v := range variable.FindAllStringSubmatch(code, -1) {
					code += "_ = " + v[1] + "\n"
				}
				if !strings.Contains(src.String(), `"testing"`) {
					src.WriteString("import \"testing\"\n")
				}
				code = fmt.Sprintf("func snippet%d%s(t *testing.T) {\n%s}\n", i, strings.TrimSuffix(page, ".md"), code)
			}
			src.WriteString(code)
			files = append(files, filepath.Join(dir, fmt.Sprintf("%s_%d.go", page, i)))
			require.NoError(t, os.WriteFile(files[len(files)-1], []byte(src.String()), 0o600))
		}
	}
	assert.Greater(t, len(files), 5, "the pages have no snippets")
	out, err := exec.Command("go", append([]string{"build", "-o", os.DevNull}, files...)...).CombinedOutput()
	assert.NoErrorf(t, err, "%s", out)
}

// The README names every package and every example, and links to what is there.
func TestREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" || strings.Contains(name, "internal/") {
			continue
		}
		assert.Truef(t, strings.Contains(string(text), "`"+strings.TrimPrefix(name, "examples/")+"`"), "the README does not name %s", name)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([A-Z][^)#]*)`).FindAllStringSubmatch(string(text), -1) {
			assert.FileExistsf(t, m[1], "%s links to it", page)
		}
	}
}
