// SPDX-License-Identifier: Apache-2.0

package javasource

// member reads a field, a method or a constructor after its modifiers, of t or, if that is nil, outside of types. It reports whether
// it was one.
func (p *parser) member(t *typeDecl, m modifiers) bool {
	var bound vars
	if p.tok.sign == '<' {
		bound = p.angle()
	}
	words, first, name := 0, p.tok.word, ""
	for {
		switch p.tok.sign {
		case 0:
			name = p.tok.word
			words++
			p.advance()
		case '<':
			p.angle()
		case '(':
			p.method(t, m, first, name, words, bound)
			return true
		case '=':
			p.statement()
			return true
		case ';':
			p.advance()
			return words > 1
		case '{': // the compact constructor of a record
			p.balanced()
			return false
		case '}', end:
			return false
		case '@':
			if !p.annotation() {
				return false // an annotation interface, after something that is not a member
			}
		default:
			p.advance()
		}
	}
}

// method reads a method or a constructor from its parameters on. words is the number of words before them; first and last are the first and
// the last of these.
func (p *parser) method(t *typeDecl, m modifiers, first, name string, words int, bound vars) {
	switch {
	case t == nil:
	case words == 1 && name == t.name:
		if t.constructor != fit {
			t.constructor = unfit
		}
		if p.parameters(nil, nil) == noParameters && !m.private {
			t.constructor = fit
		}
	case words > 1 && name == "main":
		t.mains = append(t.mains, &method{modifiers: m, void: words == 2 && first == "void", args: p.parameters(bound, t.stringVars)})
	}
	p.balanced()
	for {
		switch {
		case p.tok.sign == '{':
			p.balanced()
			return
		case p.tok.sign == ';':
			p.advance()
			return
		case p.tok.sign == '}' || p.tok.sign == end:
			return
		case p.is("default"), p.tok.sign == '=':
			p.statement()
			return
		default:
			p.advance()
		}
	}
}

// parameters looks at the parameters that begin here, without moving (JLS 8.4.1).
func (p *parser) parameters(a, b vars) parameters {
	look := parser{lexer: p.lexer}
	if look.advance(); look.tok.sign == ')' {
		return noParameters
	}
	name, dims := look.parameterType()
	if look.is("this") { // the receiver is not a parameter
		look.advance()
		if look.tok.sign == ')' {
			return noParameters
		}
		look.advance()
		name, dims = look.parameterType()
	}
	look.advance() // the parameter's name
	dims += look.dims()
	switch {
	case dims != 1 || look.tok.sign != ')':
		return otherParameters
	case a[name] || b[name] || name == "java.lang.String":
		return strings1
	case name == "String":
		return simple1
	}
	return otherParameters
}

// parameterType reads a parameter's type: the name of its elements, and how many dimensions it has.
func (p *parser) parameterType() (name string, dims int) {
	p.modifiers()
	name = p.name()
	return name, p.dims()
}

// dims skips dimensions, with their annotations, and counts them. The dots of a variable arity parameter are one.
func (p *parser) dims() int {
	n := 0
	for {
		switch {
		case p.annotation():
		case p.tok.sign == '[':
			n++
			p.advance()
			if p.tok.sign == ']' {
				p.advance()
			}
		case p.tok.sign == '.':
			n++
			for p.tok.sign == '.' {
				p.advance()
			}
		default:
			return n
		}
	}
}
