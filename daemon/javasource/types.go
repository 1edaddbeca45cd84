package javasource

// unit is a compilation unit: one source file.
type unit struct {
	pkg         string
	types       []*typeDecl
	compact     bool // it has methods or fields outside of types: all is in a class that is named after the file (JLS 7.3)
	hidesString bool // by an import
}

// typeDecl is what a top-level type declares, as far as it says whether java can start it.
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

	found [2]memo // what entry found by whether main takes arguments
}

type kind int

const (
	class kind = iota
	iface      // annotation interfaces too
	enum
	record
)

// constructor is what can be called without arguments, by a main method that isn't static.
type constructor int

const (
	implicit constructor = iota // there is none in the text, so there is one
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

// parameters are those of a method, as far as main methods differ in them.
type parameters int

const (
	otherParameters parameters = iota
	noParameters
	strings1 // java.lang.String[], String... and what is the same
	simple1  // the same by the simple name String, which may be hidden
)

// modifiers are those that matter here.
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
