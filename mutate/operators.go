// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutation replaces a piece of a file.
type mutation struct {
	file       string // path in the module
	line       int
	start, end int // bytes of the file
	from, to   string
	tests      string // a regular expression of tests that shall notice; "" for all
}

func (m mutation) String() string {
	return fmt.Sprintf("%s:%d: %s  =>  %s", m.file, m.line, oneLine(m.from), oneLine(m.to))
}

// swaps are the operators that are taken for their neighbours: negations, bounds by one, sums.
var swaps = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// goMutations lists the mutations of a package's Go files, tests aside, in their order.
func goMutations(root, dir string) ([]mutation, error) {
	paths, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []mutation
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s := source{file: filepath.ToSlash(filepath.Join(dir, filepath.Base(path))), text: string(text), fset: fset}
		ast.Inspect(f, s.visit)
		all = append(all, s.found...)
	}
	return all, nil
}

// source gathers the mutations of one file.
type source struct {
	file  string
	text  string
	fset  *token.FileSet
	found []mutation
}

func (s *source) visit(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.GenDecl:
		return node.Tok != token.IMPORT
	case *ast.Field:
		return false // types and tags
	case *ast.BinaryExpr:
		if to, ok := swaps[node.Op]; ok {
			s.replace(node.OpPos, node.OpPos+token.Pos(len(node.Op.String())), to.String())
		}
	case *ast.IfStmt:
		s.replace(node.Cond.Pos(), node.Cond.End(), "!("+s.of(node.Cond)+")")
	case *ast.DeferStmt:
		s.drop(node)
	case *ast.ExprStmt:
		if _, ok := node.X.(*ast.CallExpr); ok {
			s.drop(node)
		}
	case *ast.ReturnStmt:
		if n := len(node.Results); n > 0 && s.of(node.Results[n-1]) == "err" {
			s.replace(node.Results[n-1].Pos(), node.Results[n-1].End(), "nil")
		}
	case *ast.BasicLit:
		if n, err := strconv.ParseInt(node.Value, 0, 64); node.Kind == token.INT && err == nil {
			s.replace(node.Pos(), node.End(), fmt.Sprint(n+1))
		}
	}
	return true
}

// of returns the text of a node.
func (s *source) of(node ast.Node) string { return s.text[s.offset(node.Pos()):s.offset(node.End())] }

func (s *source) offset(p token.Pos) int { return s.fset.Position(p).Offset }

// drop leaves a statement out; its names still count as used.
func (s *source) drop(stmt ast.Stmt) {
	s.replace(stmt.Pos(), stmt.End(), "if false { "+s.of(stmt)+" }")
}

func (s *source) replace(from, to token.Pos, by string) {
	start, end := s.offset(from), s.offset(to)
	s.found = append(s.found, mutation{file: s.file, line: s.fset.Position(from).Line, start: start, end: end, from: s.text[start:end], to: by})
}
