// SPDX-License-Identifier: Apache-2.0

package javasource

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one of a program's tokens: an identifier or keyword, a literal, or one character of a separator or operator.
type token struct {
	word string // of an identifier, a keyword or a number
	sign rune   // of a separator or operator; '"' for a literal in quotes, end at the end; 0 for a word
}

// lexer splits a source into tokens, without white space and comments. A copy of it can look ahead.
type lexer struct {
	r   reader
	tok token // the current one
}

func newLexer(text string) lexer {
	l := lexer{r: newReader(text)}
	l.advance()
	return l
}

// is reports whether the current token is this keyword or identifier.
func (l *lexer) is(word string) bool { return l.tok.sign == 0 && l.tok.word == word }

// ahead returns the token after the current one.
func (l *lexer) ahead() token {
	look := *l
	look.advance()
	return look.tok
}

// advance moves to the next token.
func (l *lexer) advance() {
	for {
		switch c := l.r.ch; {
		case c == end:
			l.tok = token{sign: end}
			return
		case c == ' ' || c == '\t' || c == '\f' || c == '\n' || c == '\r':
			l.r.advance()
		case c == '/' && l.comment():
		case startsWord(c):
			l.tok = token{word: l.word()}
			return
		case c == '"' || c == '\'':
			l.literal(c)
			l.tok = token{sign: '"'}
			return
		default:
			l.tok = token{sign: c}
			l.r.advance()
			return
		}
	}
}

// comment skips a comment, if one begins here (JLS 3.7). A line ends with CR, LF or both (JLS 3.4).
func (l *lexer) comment() bool {
	look := l.r
	look.advance()
	switch look.ch {
	case '/':
		for look.ch != end && look.ch != '\n' && look.ch != '\r' {
			look.advance()
		}
	case '*':
		star := false
		for look.advance(); look.ch != end && !(star && look.ch == '/'); look.advance() {
			star = look.ch == '*'
		}
		look.advance()
	default:
		return false
	}
	l.r = look
	return true
}

// word reads an identifier, a keyword or a number. Ignorable characters are dropped, as javac does.
func (l *lexer) word() string {
	var b strings.Builder
	for c := l.r.ch; ; c = l.r.ch {
		switch {
		case ignorable(c):
		case startsWord(c):
			b.WriteRune(c)
		default:
			return b.String()
		}
		l.r.advance()
	}
}

// startsWord reports whether c belongs to a word. Outside ASCII all characters do that are not ignorable: which of them are letters depends
// on the version of Unicode, and javac refuses a program with others outside of comments and literals.
func startsWord(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '$':
		return true
	}
	return c >= utf8.RuneSelf && !ignorable(c)
}

// ignorable is Character.isIdentifierIgnorable.
func ignorable(c rune) bool {
	return 0 <= c && c <= 8 || 0xE <= c && c <= 0x1B || 0x7F <= c && c <= 0x9F || c > 0x9F && unicode.Is(unicode.Cf, c)
}

// literal skips a character, a string or a text block (JLS 3.10). An unclosed single quote ends with its line.
func (l *lexer) literal(quote rune) {
	l.r.advance()
	block := false
	if quote == '"' && l.r.ch == '"' {
		l.r.advance()
		if block = l.r.ch == '"'; !block {
			return // the empty string
		}
		l.r.advance()
	}
	for quotes := 0; l.r.ch != end; {
		c := l.r.ch
		if !block && (c == '\n' || c == '\r') {
			return
		}
		l.r.advance()
		switch {
		case c == '\\' && l.r.ch != end && (block || l.r.ch != '\n' && l.r.ch != '\r'):
			l.r.advance()
			quotes = 0
		case c != quote:
			quotes = 0
		case !block || quotes == 2:
			return
		default:
			quotes++
		}
	}
}
