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

// A source is one Go file of the program, tests apart.
type source struct {
	path string
	file *ast.File
	set  *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
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

// TestImportsRunOneWay holds main -> commands -> netcfg and internal -> the libraries.
func TestImportsRunOneWay(t *testing.T) {
	const module = "github.com/tunadm/tunadm/"
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			ok := true
			switch {
			case strings.HasPrefix(path, "github.com/urfave/cli"):
				ok = dir == "commands"
			case strings.HasPrefix(path, "github.com/vishvananda/netlink"), path == "golang.org/x/sys/unix":
				ok = dir == "netcfg" || dir == "internal/nstest"
			case path == module+"commands":
				ok = s.path == "main.go"
			case strings.HasPrefix(path, module+"internal/"):
				ok = dir == "commands"
			case path == module+"netcfg":
				ok = dir == "commands" || strings.HasPrefix(dir, "internal/")
			}
			if !ok {
				t.Errorf("%s imports %s", s.path, path)
			}
		}
	}
}

// TestNothingBelowTheCommandsPrintsOrExits looks for the calls that would.
func TestNothingBelowTheCommandsPrintsOrExits(t *testing.T) {
	forbidden := []string{"fmt.Print", "fmt.Printf", "fmt.Println", "os.Exit", "log.Print", "log.Fatal", "os.Stdout", "os.Stderr"}
	for _, s := range sources(t) {
		if dir := filepath.Dir(s.path); dir == "." || dir == "commands" || dir == "internal/nstest" {
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

// TestRoomsAreNotCrowded holds the sizes: a file of 300 lines, a function of 60, no init, and no package of leftovers.
func TestRoomsAreNotCrowded(t *testing.T) {
	const fileMax, functionMax = 300, 60
	for _, s := range sources(t) {
		line := func(p token.Pos) int { return s.set.Position(p).Line }
		if n := line(s.file.FileEnd); n > fileMax {
			t.Errorf("%s has %d lines", s.path, n)
		}
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "errors"}, s.file.Name.Name) {
			t.Errorf("%s: package %s", s.path, s.file.Name.Name)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := line(f.End()) - line(f.Pos()) + 1; n > functionMax {
				t.Errorf("%s: %s has %d lines", s.path, f.Name.Name, n)
			}
			if f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}
