// SPDX-License-Identifier: Apache-2.0

package javasource

import "cmp"

// Names returns the name of the public type of a program's text, which javac demands as the file's name, "" if any name will do, and the
// binary name of the class to start. By default the file is called base+".java". others are the texts of the other source files, for
// superclasses.
//
// The class is a top-level type that java can start: the public one, else the one called base, else the first. If java can start none it is
// the public one, else base, and javac or java explains what is wrong.
func Names(text, base string, others []string) (public, class string) {
	u := parse(text)
	e := entry{u: u, types: map[string]*typeDecl{}}
	for _, t := range u.types {
		if t.public && public == "" && !u.compact {
			public = t.name
		}
		e.add(t)
	}
	class = base
	if !u.compact {
		for _, other := range others {
			for _, t := range parse(other).types {
				e.add(t)
			}
		}
		class = cmp.Or(e.start(public, base), public, base)
	}
	if u.pkg != "" {
		class = u.pkg + "." + class
	}
	return public, class
}

// entry looks for main methods.
type entry struct {
	u     *unit
	types map[string]*typeDecl
}

// memo is a result of find.
type memo struct {
	known bool
	m     *method
}

func (e *entry) add(t *typeDecl) {
	if e.types[t.name] == nil {
		e.types[t.name] = t
	}
}

// start returns the name of the type to start, "" for none.
func (e *entry) start(preferred ...string) string {
	for _, name := range preferred {
		if t := e.types[name]; t != nil && t.unit == e.u && e.canStart(t) {
			return name
		}
	}
	for _, t := range e.u.types {
		if e.canStart(t) {
			return t.name
		}
	}
	return ""
}

// canStart reports whether java can start t (JLS 12.1.4): it chooses the main method with arguments if there is one, even if that can't
// start.
func (e *entry) canStart(t *typeDecl) bool {
	m := e.find(t, true)
	if m == nil {
		m = e.find(t, false)
	}
	switch {
	case m == nil:
		return false
	case m.static:
		return true
	case t.abstract || t.kind == iface || t.kind == enum:
		return false
	}
	return t.constructor != unfit
}

// find returns the main method that t declares or inherits, nil for none. It visits each type once, however long the chains are.
func (e *entry) find(t *typeDecl, args bool) *method {
	i := 0
	if args {
		i = 1
	}
	if !t.found[i].known {
		t.found[i].known = true // ends circles too
		t.found[i].m = e.search(t, args)
	}
	return t.found[i].m
}

func (e *entry) search(t *typeDecl, args bool) *method {
	for _, m := range t.mains {
		if m.void && !m.private && e.takes(t, m, args) {
			return m
		}
	}
	if super := e.types[t.super]; super != nil && t.super != "" {
		if m := e.find(super, args); m != nil {
			return m
		}
	}
	for _, name := range t.interfaces {
		if super := e.types[name]; super != nil && name != "" {
			if m := e.find(super, args); m != nil && !m.static {
				return m
			}
		}
	}
	return nil
}

func (e *entry) takes(t *typeDecl, m *method, args bool) bool {
	switch m.args {
	case noParameters:
		return !args
	case strings1:
		return args
	case simple1:
		return args && !t.hidesString && !t.unit.hidesString && e.types["String"] == nil
	}
	return false
}
