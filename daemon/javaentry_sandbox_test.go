// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// sayMain is a main method that says where it is.
func sayMain(class string) string {
	return `public static void main(String[] a) { System.out.println("` + class + `"); }`
}

// Programs that javac and java take, one for each way to say where to start. Here they judge what daemon/javasource chose: a class that
// java can't start fails.
func TestJavaEntry(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct{ name, source, want string }{
		{"main", "class Main { " + sayMain("Main") + " }", "Main"},
		{"public", "public class X { " + sayMain("X") + " }", "X"},
		{"not public", "final class X { " + sayMain("X") + " }", "X"},
		{"not public in a package", "package a.b; class X { " + sayMain("X") + " }", "X"},
		{"beside the public class", "class H { " + sayMain("H") + " } public class X { }", "H"},
		{"the second", "class A { } class B { " + sayMain("B") + " }", "B"},
		{"inherited", "class A extends B { } class B { " + sayMain("B") + " }", "B"},
		{"inherited from a file", "public class A extends Base { }", "Base"},
		{"inherited from an interface", "class A implements I { } interface I { default void main() { System.out.println(getClass()); } }", "class A"},
		{"interface", "interface I { static void main(String[] a) { System.out.println(1); } }", "1"},
		{"enum", "enum E { A { void f() { } }; " + sayMain("E") + " }", "E"},
		{"record", "record R(int x) { R { } " + sayMain("R") + " }", "R"},
		{"sealed", "sealed abstract class S permits T { } non-sealed class T extends S { " + sayMain("T") + " }", "T"},
		{"instance", "class C { void main() { System.out.println(this.getClass()); } }", "class C"},
		{"a private constructor before", "class C { private C() { } void main() { } } class D { " + sayMain("D") + " }", "D"},
		{"an int main before", "class C { static int main(String[] a) { return 1; } } class D { " + sayMain("D") + " }", "D"},
		{"another String", "class String { } class D { public static void main(java.lang.String[] a) { System.out.println(1); } }", "1"},
		{"a type variable", "class A { static <T extends String> void main(T[] a) { System.out.println(a.length); } }", "0"},
		{"compact", "void main() { IO.println(new P(1)); } record P(int x) { }", "P[x=1]"},
		{"compact, with a main below", "class A { " + sayMain("A") + " } void main() { IO.println(this.getClass().getName()); }", "Main"},
		{"escapes", "cl\\u0061ss X { p\\u0075blic static void m\\u0061in(String[] a) { System.out.println(\"\\u0058\"); } }", "X"},
		{"lines end with CR", "// public class A\rpublic class B { " + sayMain("B") + " }\r", "B"},
		{"ends with Ctrl-Z", "class X { " + sayMain("X") + " }\x1a", "X"},
		{"ignorable characters", "public class X\u200d\x00Y { " + sayMain("XY") + " }", "XY"},
		{"outside the BMP", "public class \\ud835\\udc00 { " + sayMain("A") + " }", "A"},
		{"dollars", "public class A$B { class $ { } " + sayMain("A$B") + " }", "A$B"},
		{"deep package", "package a.b.c.d.e.f.g.h.i.j; class X { " + sayMain("X") + " }", "X"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := job.Spec{Language: "java", Source: tt.source, Files: []job.File{{Name: "Base.java", Data: []byte("class Base { " + sayMain("Base") + " }")}}}
			res := s.runSpec(t, spec)
			if step := last(t, res); res.Status != job.Succeeded || string(step.Stdout.Data) != tt.want+"\n" {
				t.Errorf("want %q\n%s", tt.want, describeStep(step))
			}
			if tt.name != "deep package" && tt.name != "inherited from a file" {
				return
			}
			spec.Tests = &job.Tests{List: []job.Test{expect("", tt.want)}}
			if res := s.runSpec(t, spec); verdictsOf(res) != "accepted" {
				t.Errorf("as a test: %s, want accepted", verdictsOf(res))
			}
		})
	}
}

// What is no program, or can't be written down, is a result with the compiler's words.
func TestJavaRefused(t *testing.T) {
	s := realDaemon(t, nil)
	long := strings.Repeat("X", 308)
	for _, tt := range []struct {
		name, source string
		files        []job.File
		want         string
	}{
		{"a name too long for a file", "public class " + long + " { }", nil, "should be declared in a file named " + long + ".java"},
		{"a name too long for a class file", "public class " + long[:250] + " { }", nil, "File name too long"},
		{"a class too long, not public", "class " + long + " { " + sayMain("X") + " }", nil, "File name too long"},
		{"a package too long", "package " + long + "; class X { " + sayMain("X") + " }", nil, "could not create parent directories"},
		{"a package too deep", "package a" + strings.Repeat(".aaaaaaaaa", 450) + "; class X { " + sayMain("X") + " }", nil, "could not create parent directories"},
		{"a file in its place", "public class X { " + sayMain("X") + " }", []job.File{{Name: "X.java", Data: []byte("class X { }")}}, "should be declared in a file named X.java"},
		{"two public classes", "public class A { } public class B { }", nil, "class B is public, should be declared in a file named B.java"},
		{"a module", "module m { }", nil, "module-info.java"},
		{"a byte order mark", "\ufeffpublic class X { " + sayMain("X") + " }", nil, "illegal character: '\\ufeff'"},
		{"nothing", " ", nil, "class Main"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := job.Spec{Language: "java", Source: tt.source, Files: tt.files}
			res := s.runSpec(t, spec)
			step := last(t, res)
			if res.Status != job.Failed || step.Verdict != job.Exited || step.ExitCode == nil || !strings.Contains(string(step.Stderr.Data), tt.want) {
				t.Errorf("%s, want failed with an exit code and %q\n%s", res.Status, tt.want, describeStep(step))
			}
		})
	}
}

// More classes than are carried from the compile step to the tests: nothing is run without a part, but there is a result.
func TestJavaTooManyClasses(t *testing.T) {
	s := realDaemon(t, nil)
	many := &strings.Builder{}
	for i := range 4096 + 1 {
		fmt.Fprintf(many, "class A%d{}", i)
	}
	limits := job.Limits{WorkspaceInodes: 10_000, CPUMs: 60_000, WallMs: 60_000}
	res := s.runSpec(t, job.Spec{Language: "java", Source: javaHello + many.String(), Compile: limits, Run: job.Limits{WorkspaceInodes: 10_000},
		Tests: &job.Tests{List: []job.Test{expect("", "hello from java\n")}}})
	step := last(t, res)
	if res.Status != job.Failed || step.Name != "compile" || step.Verdict != job.StartFailed || !strings.Contains(step.Message, "can't be carried") || verdictsOf(res) != "skipped" {
		t.Errorf("%s, tests %s, want failed in compile, not carried\n%s", res.Status, verdictsOf(res), describeStep(step))
	}
}
