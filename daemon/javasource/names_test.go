// SPDX-License-Identifier: Apache-2.0

package javasource

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// run is a main method that says where it is.
func run(class string) string {
	return `public static void main(String[] a) { System.out.println("` + class + `"); }`
}

// The values are those of javac and java 25.0.5: the public name is the one that javac demands, the class one that java starts.
func TestNames(t *testing.T) {
	for _, tt := range []struct{ source, public, class string }{
		// Which class.
		{"class Main { " + run("Main") + " }", "", "Main"},
		{"public class X { " + run("X") + " }", "X", "X"},
		{"final class X { " + run("X") + " }", "", "X"},
		{"package a.b; class X { " + run("X") + " }", "", "a.b.X"},
		// Imports (JLS 7.5), of modules too.
		{"import module java.base; class A { " + run("A") + " }", "", "A"},
		{"import module java.base; import module java.sql; public class A { " + run("A") + " }", "A", "A"},
		{"package p; import module java.base; final class A { " + run("A") + " }", "", "p.A"},
		{"import module.B; class A { " + run("A") + " }", "", "A"},
		{"import java.util.*; class A { " + run("A") + " } void main() { }", "", "Main"},
		{"import static java.lang.Math.*; record P(int x) { " + run("P") + " } void main() { }", "", "Main"},
		{"import module java.base; void main() { }", "", "Main"},
		{"import java.util.*; import java.io.*; class A { " + run("A") + " }", "", "A"},
		{"class H { " + run("H") + " } public class X { }", "X", "H"},
		{"class H { " + run("H") + " } public class X { " + run("X") + " }", "X", "X"},
		{"class A { " + run("A") + " } class Main { " + run("Main") + " }", "", "Main"},
		{"class A { " + run("A") + " } class Main { }", "", "A"},
		{"class A { } class B { " + run("B") + " }", "", "B"},
		{"class A { static class N { " + run("N") + " } } class B { " + run("B") + " }", "", "B"},
		{"@interface A { int x() default 1; String[] y() default {\"}\"}; } interface I { " + run("I") + " }", "", "I"},
		{"enum E { A { void f() { } }, B; " + run("E") + " }", "", "E"},
		{"enum E { A(1) { void main() { } }; E(int x) { } " + run("E") + " }", "", "E"},
		{"record R(int x, @A({1}) int y) { " + run("R") + " }", "", "R"},
		{"sealed interface S permits T { } final class T implements S { " + run("T") + " }", "", "T"},
		{"sealed abstract class S permits T { } non-sealed class T extends S { " + run("T") + " }", "", "T"},
		{"class A$B { " + run("A$B") + " }", "", "A$B"},
		{"class A { }", "", "Main"},
		{"public class A { }", "A", "A"},
		{"", "", "Main"},
		// Main methods.
		{"class A { public static void main(String... a) { } }", "", "A"},
		{"class A { public static void main(String a[]) { } }", "", "A"},
		{"class A { static void main(final @Deprecated java . lang . String[] a) throws Exception, Error { } }", "", "A"},
		{"class A { static <T> void main(String[] a) { } }", "", "A"},
		{"class A { static <X, T extends String & Comparable<String>> void main(T[] a) { } }", "", "A"},
		{"class A { protected static void main() { } }", "", "A"},
		{"class A { void main() { } }", "", "A"},
		{"class A { void main(A this) { } }", "", "A"},
		{"class A { void main(A this, String[] a) { } }", "", "A"},
		{"class A { private A() { } void main() { } }", "", "Main"},
		{"class A { A(int x) { } void main() { } }", "", "Main"},
		{"class A { A(int x) { } A() { } void main() { } }", "", "A"},
		{"class A { A(int... x) { } void main() { } }", "", "Main"},
		{"class A { private A() { } " + run("A") + " }", "", "A"},
		{"class A { private static void main(String[] a) { } static void main() { } }", "", "A"},
		{"class A { private static void main(String[] a) { } }", "", "Main"},
		{"class A { A(int x) { } void main(String[] a) { } static void main() { } }", "", "Main"},
		{"class A { static int main(String[] a) { return 1; } } class B { " + run("B") + " }", "", "B"},
		{"class A { int main(String[] a) { return 1; } void main() { } }", "", "A"},
		{"class A { static void main(int[] a) { } static void main(String a) { } void main(String[] a, int b) { } void main(String[][] a) { } }", "", "Main"},
		{"class String { } class A { public static void main(String[] a) { } }", "", "Main"},
		{"class String { } class A { public static void main(java.lang.String[] a) { } }", "", "A"},
		{"class A { static class String { } public static void main(String[] a) { } }", "", "Main"},
		{"import a.String; class A { public static void main(String[] a) { } }", "", "Main"},
		{"class A { static Runnable r = () -> { void main; }; int x = 1, main = f(2), y[] = {3}; static { f(); } { f(); } static class main { } " + run("A") + " }", "", "A"},
		{"enum E { A; void main() { } }", "", "Main"},
		{"record R() { void main() { } }", "", "R"},
		{"record R(int x) { void main() { } }", "", "Main"},
		{"record R(int x) { R { f(); } R() { this(1); } void main() { } }", "", "R"},
		{"abstract class A { void main() { } } class B extends A { }", "", "B"},
		{"abstract class A { static void main() { } }", "", "A"},
		// Inherited ones.
		{"class A extends B { } class B { " + run("B") + " }", "", "A"},
		{"package p; class A extends @X p.B<String> { } class B<T extends Comparable<T>> { " + run("B") + " }", "", "p.A"},
		{"class A extends q.B { } class B { " + run("B") + " }", "", "B"},
		{"class A implements B { } interface B { " + run("B") + " }", "", "B"},
		{"class A implements C<B>, B { } interface C<T> { } interface B { default void main() { } }", "", "A"},
		{"class A extends B { static void main() { } } class B { B(int x) { } private void main(String[] a) { } }", "", "A"},
		{"class A extends B { } class B extends A { }", "", "Main"},
		{"public class A extends Base { }", "A", "A"},
		{"class A extends Base { }", "", "A"}, // see others
		// Members outside of types (JEP 512): they and all types are in a class that is called as the file.
		{"void main() { IO.println(1); }", "", "Main"},
		{"class A { " + run("A") + " } void main() { }", "", "Main"},
		{"import module java.base; public class A { " + run("A") + " } int x = 3; void main() { }", "", "Main"},
		{"<T> void f(T x) { } record P(int x) { } void main(String[] args) { }", "", "Main"},
		// Lexical structure.
		{"public\n  final\tclass\fApp{ }", "App", "App"},
		{"// public class A\r public class B { " + run("B") + " }", "B", "B"},
		{"// public class A\\u000a public class B { }", "B", "B"},
		{"// \\\\u000a public class B { }", "", "Main"},
		{"/* public class A /* */ public class B { }", "B", "B"},
		{"/**/ public class B { } /* unfinished public class C", "B", "B"},
		{"/*/ public class A */ public class B { }", "B", "B"},
		{"cl\\u0061ss X { p\\uuu0075blic static void m\\u0061in(String[] a) { } }", "", "X"},
		{"public cla\x00ss X\u200dY { }", "XY", "XY"},
		{"public class \\ud835\\udc00 { }", "\U0001d400", "\U0001d400"},
		{`class A { String s = "}\"" + "\\"; char c = '}', d = '\'', e = '"'; } public class B { }`, "B", "B"},
		{"class A { String s = \"\"\"\n } \\\"\"\" \" \"\" \\\\\"\"\"; String e = \"\"; } public class B { }", "B", "B"},
		{`class A { String s = "\u0022 + "}\u005c"}"; } public class B { }`, "B", "B"},
		{`class A { char c = '\u005c\u005c', d = '\\'; } public class B { }`, "B", "B"},
		{"class A { String s = \"unfinished\n }\npublic class B { }", "B", "B"},
		{"package a . b\n\t. /* x */ c ;\npublic class D { }", "D", "a.b.c.D"},
		{"@Deprecated(since = \"}\") package a; class D { " + run("D") + " }", "", "a.D"},
		{"@A({1, 2}) @B.C public @D strictfp class E { }", "E", "E"},
		{"public non-sealed class X extends Y { }", "X", "X"},
		{"public record Point<T extends Comparable<T>>(T x) { }", "Point", "Point"},
		{"public @interface X { }", "X", "X"},
		{"class Größe { " + run("G") + " }", "", "Größe"},
		// No programs, for which javac has the words.
		{"}}} public class X {", "X", "X"},
		{"public class X { void f() { } } } void g() { } }", "X", "X"},
		{"class A { public class Inner { } }", "", "Main"},
		{"publicclass X", "", "Main"},
		{"module m { exports a; }", "", "Main"},
		{"public class", "", "Main"},
	} {
		public, class := Names(tt.source, "Main", []string{"package q; class Base { static void main() { } }"})
		if public != tt.public || class != tt.class {
			t.Errorf("Names(%q) = %q, %q, want %q, %q", tt.source, public, class, tt.public, tt.class)
		}
	}
}

// Sources that would be slow to read if anything were read again and again.
func TestNamesTakesLinearTime(t *testing.T) {
	chain := &strings.Builder{} // each class inherits from the next
	for i := range 30_000 {
		fmt.Fprintf(chain, "class A%d extends A%d{}", i, i+1)
	}
	for _, part := range []string{"@", "@A(", "<", "{", "(", "record ", "sealed ", "non-", "a.", "class A<B<", "\\u005c", "\\", "/*", "//", "\"", "'",
		"\"\"\"", "class A{void main(A this", "class A{<", "import ", "@interface ", "void main(String[]", ";", "enum E{", "}", chain.String()} {
		source := strings.Repeat(part, max(1, 1_000_000/len(part)))
		began := time.Now()
		Names(source, "Main", []string{chain.String()})
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%.20q, a million bytes of it: %v", part, took)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"public class A { " + run("A") + " }", "void main() { }", "@A(\"\\u0041\") record R<T>(int x) { }", "\"\"\"", "'\\", "/*", "non-sealed", "\xff\\ud800"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		public, class := Names(source, "Main", []string{source})
		if class == "" || public != "" && strings.ContainsAny(public, "/\x00 \n") {
			t.Errorf("Names(%q) = %q, %q", source, public, class)
		}
	})
}
