// SPDX-License-Identifier: Apache-2.0

package javasource

// unit is a compilation unit: one source file.
type unit struct {
	pkg         string
	types       []*typeDecl
	compact     bool // it has methods or fields outside of types: everything is in a class that is named after the file (JLS 7.3)
	hidesString bool // by an import
}

// typeDecl has the declarations of a top-level type that decide whether java can start it.
type typeDecl struct {
	unit     *unit
	name     string
	kind     kind
	public   bool
	abstract bool

	super      string   // simple name of the superclass; "" for none, or one that is a member of another type
	interfaces []string // likewise

	mains       []*method
	hidesString bool // by a member type
	stringVars  vars
	constructor constructor

	found [2]memo // main methods without and with arguments, see entry.find
}

type kind int

const (
	class kind = iota
	iface      // annotation interfaces too
	enum
	record
)

// constructor is whether a type has a constructor that can be called without arguments, as for a main method that is not static.
type constructor int

const (
	implicit constructor = iota // the text declares none, so the type has the default one
	unfit                       // each takes arguments or is private
	fit
)

// vars are the type variables whose erasure is String.
type vars map[string]bool

// method is a method with the name main.
type method struct {
	modifiers
	void bool
	args parameters
}

// parameters are the parameter lists that main methods differ in.
type parameters int

const (
	otherParameters parameters = iota
	noParameters
	strings1 // java.lang.String[], String... and equivalents
	simple1  // the same by the simple name String, which may be hidden
)

// modifiers are the modifiers that matter here.
type modifiers struct{ public, private, static, abstract bool }

// set notes a modifier and reports whether word is one.
func (m *modifiers) set(word string) bool {
	switch word {
	case "public":
		m.public = true
	case "private":
		m.private = true
	case "static":
		m.static = true
	case "abstract":
		m.abstract = true
	case "protected", "final", "native", "synchronized", "transient", "volatile", "strictfp", "default":
	default:
		return false
	}
	return true
}
