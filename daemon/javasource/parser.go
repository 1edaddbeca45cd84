// SPDX-License-Identifier: Apache-2.0

package javasource

// parser reads declarations and skips their bodies. It never goes back, and does not recurse: the depth is chosen by an untrusted text.
type parser struct {
	lexer
	unit *unit
}

// parse reads a source file (JLS 7.3).
func parse(text string) *unit {
	p := parser{newLexer(text), &unit{}}
	members, broken := false, false
	for p.tok.sign != end {
		m := p.modifiers()
		switch {
		case p.is("package"):
			p.advance()
			p.unit.pkg = p.name()
		case p.is("import"):
			p.imports()
		case p.atType():
			p.typeDecl(m)
		case p.tok.sign == '{' || p.tok.sign == '(':
			broken = true
			p.balanced()
		case p.tok.sign == 0 || p.tok.sign == '<':
			members = p.member(nil, m) || members
		default:
			broken = broken || p.tok.sign != ';' // most often an extra brace, after which members seem to be outside of types
			p.advance()
		}
	}
	p.unit.compact = members && !broken
	return p.unit
}

// imports reads an import declaration (JLS 7.5), which may hide java.lang.String.
func (p *parser) imports() {
	p.advance()
	if p.is("static") || p.is("module") && p.ahead().sign == 0 { // else module is the first part of a name
		p.advance()
	}
	defer p.through(';') // ".*"
	if name := p.name(); name != "java.lang.String" && lastOf(name) == "String" && p.tok.sign == ';' {
		p.unit.hidesString = true
	}
}

// through skips the rest of a declaration up to its end, which may be missing.
func (p *parser) through(sign rune) {
	for p.tok.sign != sign && p.tok.sign != end && p.tok.sign != '{' && p.tok.sign != '(' {
		p.advance()
	}
	if p.tok.sign == sign {
		p.advance()
	}
}

// name reads a qualified name: "a.b.C".
func (p *parser) name() string {
	var b []byte
	for p.tok.sign == 0 {
		b = append(b, p.tok.word...)
		if p.advance(); p.tok.sign != '.' || p.ahead().sign != 0 { // "..." and ".*" are not part of a name
			break
		}
		b = append(b, '.')
		p.advance()
	}
	return string(b)
}

// modifiers skips modifiers and annotations (JLS 8.1.1).
func (p *parser) modifiers() modifiers {
	var m modifiers
	for {
		switch {
		case p.annotation():
		case p.tok.sign != 0:
			return m
		case m.set(p.tok.word), p.is("sealed") && p.ahead().sign == 0:
			p.advance()
		case p.is("non") && p.nonSealed():
		default:
			return m
		}
	}
}

// nonSealed skips the modifier non-sealed, which is three tokens here.
func (p *parser) nonSealed() bool {
	look := p.lexer
	if look.advance(); look.tok.sign != '-' {
		return false
	}
	if look.advance(); !look.is("sealed") {
		return false
	}
	look.advance()
	p.lexer = look
	return true
}

// annotation skips an annotation, if one begins here.
func (p *parser) annotation() bool {
	if p.tok.sign != '@' || p.atType() {
		return false
	}
	p.advance()
	p.name()
	if p.tok.sign == '(' {
		p.balanced()
	}
	return true
}

// atType reports whether a type declaration begins here, after its modifiers. The word record is a keyword only where a name and
// parameters follow (JLS 3.9).
func (p *parser) atType() bool {
	switch {
	case p.tok.sign == '@':
		next := p.ahead()
		return next.sign == 0 && next.word == "interface"
	case p.is("record"):
		look := p.lexer
		if look.advance(); look.tok.sign != 0 {
			return false
		}
		look.advance()
		return look.tok.sign == '(' || look.tok.sign == '<'
	}
	return p.is("class") || p.is("interface") || p.is("enum")
}

// balanced skips from this opening bracket to its closing one, inclusive.
func (p *parser) balanced() {
	depth := 0
	for p.tok.sign != end {
		switch p.tok.sign {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		p.advance()
		if depth <= 0 {
			return
		}
	}
}

// angle skips type parameters or arguments and returns the variables among them that are bounded by String.
func (p *parser) angle() vars {
	var found vars
	depth := 0
	for {
		switch p.tok.sign {
		case '<':
			depth++
		case '>':
			depth--
		case '(':
			p.balanced()
			continue
		case ')', '{', '}', ';', '=', end: // it is not such a list
			return found
		case 0:
			if name := p.tok.word; depth == 1 {
				p.advance()
				if p.is("extends") {
					p.advance()
					if bound := p.name(); bound == "String" || bound == "java.lang.String" {
						found = found.with(name)
					}
				}
				continue
			}
		}
		p.advance()
		if depth == 0 {
			return found
		}
	}
}

func (v vars) with(name string) vars {
	if v == nil {
		v = vars{}
	}
	v[name] = true
	return v
}

// statement skips past the next semicolon at this depth, or to a closing brace.
func (p *parser) statement() {
	for {
		switch p.tok.sign {
		case '(', '[', '{':
			p.balanced()
		case ';':
			p.advance()
			return
		case '}', end:
			return
		default:
			p.advance()
		}
	}
}
