// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// TestSourceForms has programs in the forms that each language's definition allows. We write the bytes as they came, and guess nothing.
func TestSourceForms(t *testing.T) {
	s := realDaemon(t, nil)
	file := func(name, content string) []job.File { return []job.File{{Name: name, Data: []byte(content)}} }
	for _, tt := range []struct {
		name, language, source string
		files                  []job.File
		want                   string
	}{
		// The Python Language Reference 2.1.2 to 2.1.4: line ends, encoding declarations, the byte order mark; form feeds are 2.1.8.
		{"BOM, CRLF, form feed", "python", "\ufeffprint('é')\r\nif 1:\r\n\f  print(2)\r\n", nil, "é\n2\n"},
		{"CR", "python", "print(1)\rprint(2)\r", nil, "1\n2\n"},
		{"latin-1", "python", "", file("main.py", "#!/usr/bin/python3\n# vim: set fileencoding=latin-1 :\nprint('\xe9')"), "é\n"},
		{"cp1252", "python", "", file("main.py", "# coding: cp1252\nprint('\x80')"), "€\n"},
		{"UTF-16 text in a module", "python", "import m", file("m.py", "# -*- coding: euc-jp -*-\nprint('\xc6\xfc')"), "日\n"},
		// Node.js, "Modules: Packages", "Determining module system"; ECMAScript 12.3 line terminators and 12.5 hashbang.
		{"CommonJS", "javascript", "console.log(typeof require, typeof module)", nil, "function object\n"},
		{"ESM by its syntax", "javascript", "#!/usr/bin/env node\r\nimport fs from 'fs'\r\nconsole.log(typeof fs.readFileSync, import.meta.filename)", nil, "function /workspace/main.js\n"},
		{"ESM by package.json", "javascript", "console.log(typeof require, this)", file("package.json", `{"type": "module"}`), "undefined undefined\n"},
		{"CommonJS by package.json", "javascript", "console.log(typeof require)", file("package.json", `{"type": "commonjs"}`), "function\n"},
		{"top-level await", "javascript", "console.log(await 7)", nil, "7\n"},
		{"BOM, U+2028", "javascript", "\ufeffconsole.log(1)\u2028console.log(2)", nil, "1\n2\n"},
		// JLS 3.2 to 3.5. javac reads UTF-8 (JEP 400).
		{"CRLF", "java", "class Main {\r\n  public static void main(String[] a) {\r\n    System.out.print(\"\"\"\r\n      é\r\n      \"\"\");\r\n  }\r\n}\r\n", nil, "é\n"},
		{"in files", "java", "", file("Main.java", "class X { public static void main(String[] a) { System.out.println(1); } }"), "1\n"},
	} {
		t.Run(tt.language+" "+tt.name, func(t *testing.T) {
			res := s.runSpec(t, job.Spec{Language: tt.language, Source: tt.source, Files: tt.files})
			if step := last(t, res); res.Status != job.Succeeded || string(step.Stdout.Data) != tt.want {
				t.Errorf("want %q\n%s", tt.want, describeStep(step))
			}
		})
	}
}

// TestJavaEncodings: what JDK 25 has for LANG=C.UTF-8 where no terminal is (JEP 400; System.getProperties).
func TestJavaEncodings(t *testing.T) {
	s := realDaemon(t, nil)
	const source = `class Main { public static void main(String[] a) {
  for (String p : new String[] {"file.encoding", "native.encoding", "sun.jnu.encoding", "stdin.encoding", "stdout.encoding", "stderr.encoding"}) System.out.print(System.getProperty(p) + " ");
  System.out.println(java.util.Locale.getDefault() + " " + java.util.TimeZone.getDefault().getID());
} }`
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"default", nil, "UTF-8 UTF-8 UTF-8 UTF-8 UTF-8 UTF-8 en GMT\n"},
		{"cold", map[string]string{"X": "1"}, "UTF-8 UTF-8 UTF-8 UTF-8 UTF-8 UTF-8 en GMT\n"},
		{"TZ", map[string]string{"TZ": "US/Eastern"}, "UTF-8 UTF-8 UTF-8 UTF-8 UTF-8 UTF-8 en US/Eastern\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			step := last(t, s.runSpec(t, job.Spec{Language: "java", Source: source, Env: tt.env}))
			if string(step.Stdout.Data) != tt.want {
				t.Errorf("want %q\n%s", tt.want, describeStep(step))
			}
		})
	}
}
