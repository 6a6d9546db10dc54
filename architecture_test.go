package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A source is a Go file of the program or of its tests.
type source struct {
	path string
	file *ast.File
	set  *token.FileSet
}

func sources(t *testing.T) []source { return parsed(t, false) }

// parsed returns the Go files of the program, or those of its tests.
func parsed(t *testing.T, tests bool) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && path == "vendor" {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") != tests {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		all = append(all, source{path, file, set})
		return err
	})
	if err != nil || len(all) < 10 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	return all
}

const module = "github.com/tunadm/tunadm/"

// importers lists, for each package of this module and of others, the directories that may import it. A directory that
// ends in a slash is short for all directories below it; "." is main.go. Tests may import anything.
var importers = map[string][]string{
	"github.com/containernetworking/cni/pkg/invoke":    {"cni"},
	"github.com/containernetworking/cni/pkg/ns":        {"cni"},
	"github.com/containernetworking/cni/pkg/skel":      {"cni"},
	"github.com/containernetworking/cni/pkg/types":     {"cni"},
	"github.com/containernetworking/cni/pkg/types/100": {"cni"},
	"github.com/containernetworking/cni/pkg/version":   {"cni"},

	"github.com/pelletier/go-toml/v2/unstable": {"internal/declare"},
	"github.com/urfave/cli/v2":                 {"commands"},
	"github.com/vishvananda/netlink":           {"internal/nstest"},
	"github.com/vishvananda/netlink/nl": {
		"internal/attach", "internal/doctor", "internal/evidence", "internal/firewall", "internal/rtnl",
		"internal/trace", "netcfg"},
	"github.com/xrash/smetrics":       {"internal/words"},
	"github.com/rogpeppe/go-internal": {},
	"golang.org/x/sys/unix": {
		"cni",
		"commands",
		"internal/accounts",
		"internal/attach",
		"internal/bpf",
		"internal/cause",
		"internal/declare",
		"internal/doctor",
		"internal/driver",
		"internal/evidence",
		"internal/files",
		"internal/firewall",
		"internal/guard",
		"internal/holders",
		"internal/link",
		"internal/netns",
		"internal/notify",
		"internal/nstest",
		"internal/packet",
		"internal/poll",
		"internal/rtnl",
		"internal/surroundings",
		"internal/sysctl",
		"internal/trace",
		"internal/users",
		"internal/watch",
		"netcfg",
	},

	module + "commands":          {"."},
	module + "netcfg":            {"cni", "commands", "internal/"},
	module + "internal/accounts": {"internal/users"},
	module + "internal/attach":   {"commands", "internal/loop", "internal/packet"},
	module + "internal/bpf":      {"internal/evidence", "internal/trace"},
	module + "internal/cause":    {"cni", "commands", "internal/", "netcfg"},
	module + "internal/convert":  {"commands"},
	module + "internal/declare":  {"commands", "internal/convert"},
	module + "internal/doctor":   {"commands"},
	module + "internal/driver": {"cni", "commands", "internal/attach", "internal/evidence", "internal/standin",
		"internal/users", "internal/watch", "netcfg"},
	module + "internal/evidence": {"commands", "internal/doctor", "internal/trace"},
	module + "internal/files":    {"commands", "internal/", "netcfg"},
	module + "internal/firewall": {"internal/doctor"},
	module + "internal/fix":      {"cni", "commands", "internal/", "netcfg"},
	module + "internal/flow": {"commands", "internal/doctor", "internal/evidence", "internal/firewall",
		"internal/trace"},
	module + "internal/guard":   {"cni", "commands", "internal/attach", "netcfg"},
	module + "internal/holders": {"cni", "commands", "internal/doctor", "internal/driver", "internal/watch", "netcfg"},
	module + "internal/link":    {"cni", "commands", "internal/", "netcfg"},
	module + "internal/loop":    {"commands"},
	module + "internal/metrics": {"commands"},
	module + "internal/netns":   {"commands", "internal/doctor", "internal/fix", "internal/trace", "netcfg"},
	module + "internal/notify":  {"commands"},
	module + "internal/packet":  {"commands", "internal/trace"},
	module + "internal/poll":    {"commands", "internal/", "netcfg"},
	module + "internal/rtnl": {
		"commands", "internal/attach", "internal/declare", "internal/doctor", "internal/evidence", "internal/firewall",
		"internal/loop", "internal/trace", "internal/watch", "netcfg"},
	module + "internal/standin":      {"commands", "internal/convert"},
	module + "internal/state":        {"cni", "commands", "internal/loop"},
	module + "internal/surroundings": {"commands", "internal/", "netcfg"},
	module + "internal/nstest":       {},
	module + "internal/sysctl":       {"cni", "commands", "internal/attach", "internal/declare", "netcfg"},
	module + "internal/trace":        {"commands", "internal/doctor"},
	module + "internal/users":        {"cni", "commands", "internal/", "netcfg"},
	module + "internal/watch":        {"commands"},
	module + "internal/words":        {"cni", "commands", "internal/", "netcfg"},
}

// TestImportsRunOneWay checks that imports run one way: main, commands, internal, netcfg, the packages below it,
// libraries.
func TestImportsRunOneWay(t *testing.T) {
	for _, s := range sources(t) {
		dir := filepath.ToSlash(filepath.Dir(s.path))
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			dirs, listed := importers[path]
			domain, _, _ := strings.Cut(path, "/")
			may := func(d string) bool { return d == dir || strings.HasSuffix(d, "/") && strings.HasPrefix(dir, d) }
			switch {
			case !listed && strings.Contains(domain, "."):
				t.Errorf("%s imports %s, which has no row in importers", s.path, path)
			case listed && !slices.ContainsFunc(dirs, may):
				t.Errorf("%s imports %s", s.path, path)
			}
		}
	}
}

// TestNothingBelowTheCommandsPrintsOrExits finds calls that print or exit.
func TestNothingBelowTheCommandsPrintsOrExits(t *testing.T) {
	forbidden := []string{"fmt.Print", "fmt.Printf", "fmt.Println", "os.Exit", "log.Print", "log.Fatal", "os.Stdout",
		"os.Stderr"}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		if slices.Contains([]string{".", "cni", "commands", "internal/nstest"}, dir) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(forbidden, x.Name+"."+sel.Sel.Name) {
					t.Errorf("%s: %s.%s", s.set.Position(n.Pos()), x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestRoomsAreNotCrowded checks that a file has at most 300 lines, and netcfg, whose parts know each other, at most
// 6500, that there is no init function, and that no package has a name such as util.
func TestRoomsAreNotCrowded(t *testing.T) {
	const fileMax, netcfgMax = 300, 6500
	netcfg := 0
	for _, s := range sources(t) {
		n := s.set.Position(s.file.FileEnd).Line
		if n > fileMax {
			t.Errorf("%s has %d lines", s.path, n)
		}
		if filepath.Dir(s.path) == "netcfg" {
			netcfg += n
		}
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "errors"}, s.file.Name.Name) {
			t.Errorf("%s: package %s", s.path, s.file.Name.Name)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
	if netcfg > netcfgMax {
		t.Errorf("netcfg has %d lines: give one of its subjects a separate package", netcfg)
	}
}

// TestFunctionsAreShort checks that no function has more than 60 lines, those of tests included.
func TestFunctionsAreShort(t *testing.T) {
	const functionMax = 60
	for _, s := range slices.Concat(sources(t), parsed(t, true)) {
		line := func(p token.Pos) int { return s.set.Position(p).Line }
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := line(f.End()) - line(f.Pos()) + 1; n > functionMax {
				t.Errorf("%s: %s has %d lines", s.path, f.Name.Name, n)
			}
		}
	}
}

// TestNoPatternIsCompiledAtTheStart finds package variables that hold a compiled regular expression: words.Pattern
// compiles it on first use.
func TestNoPatternIsCompiledAtTheStart(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if variables, ok := d.(*ast.GenDecl); ok {
				ast.Inspect(variables, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "MustCompile" {
						t.Errorf("%s: MustCompile", s.set.Position(n.Pos()))
					}
					_, later := n.(*ast.FuncLit)
					return !later
				})
			}
		}
	}
}
