package main

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// methodsOfInterfaces are called by the standard library and by urfave/cli, which no selector in this module shows.
var methodsOfInterfaces = map[string]bool{
	"Error": true, "String": true, "Unwrap": true, "Is": true, "Set": true, "Read": true, "Write": true, "Close": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
}

// TestEveryExportedNameHasAUser finds functions, methods, fields, variables, constants and types that only their own
// package uses. A constant of a typed group is an enumeration's and counts as used. A type counts as used if an
// exported declaration of its package mentions it. The users of internal/nstest are tests, which are no sources.
func TestEveryExportedNameHasAUser(t *testing.T) {
	all := sources(t)
	used := map[string]map[string]bool{} // by directory: names selected or keyed in it
	for _, s := range all {
		dir := filepath.Dir(s.path)
		if used[dir] == nil {
			used[dir] = map[string]bool{}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				used[dir][n.Sel.Name] = true
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok {
					used[dir][key.Name] = true
				}
			}
			return true
		})
	}
	for _, s := range all {
		dir := filepath.Dir(s.path)
		if slices.Contains([]string{".", "cni", "commands", "internal/nstest"}, dir) {
			continue
		}
		elsewhere := func(name string) bool {
			for other, names := range used {
				if other != dir && names[name] {
					return true
				}
			}
			return false
		}
		report := func(name *ast.Ident) {
			if name.IsExported() && !elsewhere(name.Name) {
				t.Errorf("%s: %s has no user outside", s.set.Position(name.Pos()), name.Name)
			}
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || !methodsOfInterfaces[d.Name.Name] {
					report(d.Name)
				}
			case *ast.GenDecl:
				exportedOf(d, all, dir, report)
			}
		}
	}
}

// exportedOf reports the names that a declaration of constants, variables or types exports.
func exportedOf(d *ast.GenDecl, all []source, dir string, report func(*ast.Ident)) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			if d.Tok == token.CONST && len(d.Specs) > 1 && typed(d) {
				continue
			}
			for _, name := range spec.Names {
				report(name)
			}
		case *ast.TypeSpec:
			if !mentioned(spec.Name.Name, all, dir) {
				report(spec.Name)
			}
			if fields, ok := spec.Type.(*ast.StructType); ok && spec.Name.IsExported() {
				for _, f := range fields.Fields.List {
					for _, name := range f.Names {
						report(name)
					}
				}
			}
		}
	}
}

// typed tells whether a group of constants is an enumeration.
func typed(d *ast.GenDecl) bool { return d.Specs[0].(*ast.ValueSpec).Type != nil }

// mentioned tells whether an exported function, method or field of the package has the type in its signature.
func mentioned(name string, all []source, dir string) (found bool) {
	look := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == name {
				found = true
			}
			return true
		})
	}
	for _, s := range all {
		if filepath.Dir(s.path) != dir {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() {
					look(d.Type)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.Name != name && ts.Name.IsExported() {
						look(ts.Type)
					}
				}
			}
		}
	}
	return found
}
