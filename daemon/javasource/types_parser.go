// SPDX-License-Identifier: Apache-2.0

package javasource

import "strings"

// typeDecl reads a top-level type declaration (JLS 8.1, 8.9, 8.10, 9.1, 9.6).
func (p *parser) typeDecl(m modifiers) {
	t := &typeDecl{unit: p.unit, public: m.public, abstract: m.abstract}
	p.unit.types = append(p.unit.types, t)
	switch {
	case p.tok.sign == '@':
		p.advance()
		t.kind = iface
	case p.is("interface"):
		t.kind = iface
	case p.is("enum"):
		t.kind = enum
	case p.is("record"):
		t.kind = record
	}
	if p.advance(); p.tok.sign == 0 {
		t.name = p.tok.word
		p.advance()
	}
	p.header(t)
	if p.tok.sign == '{' {
		p.body(t)
	}
}

// header reads the part between a type's name and its body.
func (p *parser) header(t *typeDecl) {
	for {
		switch {
		case p.tok.sign == '<':
			t.stringVars = p.angle()
		case p.tok.sign == '(':
			if t.kind == record {
				t.constructor = unfit
				if next := p.ahead(); next.sign == ')' {
					t.constructor = fit
				}
			}
			p.balanced()
		case p.tok.sign == '{' || p.tok.sign == '}' || p.tok.sign == ';' || p.tok.sign == end:
			return
		case p.is("extends") && t.kind == class:
			p.advance()
			t.super = p.typeName()
		case p.is("extends"), p.is("implements"):
			p.advance()
			t.interfaces = append(t.interfaces, p.typeNames()...)
		case p.is("permits"):
			p.advance()
			p.typeNames()
		default:
			p.advance()
		}
	}
}

func (p *parser) typeNames() []string {
	names := []string{p.typeName()}
	for p.tok.sign == ',' {
		p.advance()
		names = append(names, p.typeName())
	}
	return names
}

// typeName reads the name of a class or interface with its type arguments and returns the last part of it, "" if it is a member of
// another type.
func (p *parser) typeName() string {
	for p.annotation() {
	}
	name := p.name()
	member := false
	for p.tok.sign == '<' || p.tok.sign == '.' || p.tok.sign == '@' {
		switch {
		case p.tok.sign == '<':
			p.angle()
		case p.annotation():
		default:
			member = true
			p.advance()
			p.name()
		}
	}
	pkg, simple := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		pkg, simple = name[:i], name[i+1:]
	}
	if member || pkg != "" && pkg != p.unit.pkg {
		return ""
	}
	return simple
}

func lastOf(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// body reads the members of t.
func (p *parser) body(t *typeDecl) {
	p.advance()
	if t.kind == enum {
		p.statement() // the constants
	}
	for p.tok.sign != '}' && p.tok.sign != end {
		m := p.modifiers()
		switch {
		case p.atType():
			p.memberType(t)
		case p.tok.sign == '{' || p.tok.sign == '(' || p.tok.sign == '[':
			p.balanced()
		case p.tok.sign == 0 || p.tok.sign == '<':
			p.member(t, m)
		case p.tok.sign != '}':
			p.advance()
		}
	}
	p.advance()
}

// memberType skips a type declared in t.
func (p *parser) memberType(t *typeDecl) {
	if p.tok.sign == '@' {
		p.advance()
	}
	if p.advance(); p.is("String") {
		t.hidesString = true
	}
	for p.tok.sign != '{' && p.tok.sign != '}' && p.tok.sign != ';' && p.tok.sign != end {
		if p.tok.sign == '(' {
			p.balanced()
		} else {
			p.advance()
		}
	}
	if p.tok.sign == '{' {
		p.balanced()
	}
}
