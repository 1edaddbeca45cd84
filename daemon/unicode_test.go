// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// javaUnicode has letters outside ASCII in every place where a Java program may have them.
const javaUnicode = `
import java.io.File;
import java.nio.file.*;
public class Été {
  static String vérifié(boolean b) { return b ? "oui" : "non"; }
  public static void main(String[] args) throws Exception {
    System.out.println("é€😀");
    System.err.println("é€😀");
    System.out.println(args[0] + " " + System.getenv("MOT") + " " + new java.util.Scanner(System.in).nextLine());
    System.out.println(Nom.été() + " " + Files.readString(Path.of("données/日本.txt")) + " " + new File("données").list()[0]);
    Files.writeString(Path.of("écrit"), "ß");
    System.out.println(vérifié(new File("écrit").exists()));
  }
}
class Nom { static String été() { return "été"; } }
`

// What a job writes, is given and is named may be in any script. The JVM takes its character set from LANG, and falls back
// to ASCII when the image doesn't have that locale.
func TestUnicode(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct{ name, language, source string }{
		{"python", "python", `
import os, sys, été
print("é€😀", flush=True)
print("é€😀", file=sys.stderr)
print(sys.argv[1], os.environ["MOT"], sys.stdin.readline().strip())
print(été.nom, open("données/日本.txt").read(), os.listdir("données")[0])
open("écrit", "w").write("ß")
print("oui" if os.path.exists("écrit".encode()) else "non")
`},
		{"javascript", "javascript", `
const fs = require("fs")
console.log("é€😀")
console.error("é€😀")
console.log(process.argv[2], process.env.MOT, fs.readFileSync(0, "utf8").trim())
console.log(require("./été.js").nom, fs.readFileSync("données/日本.txt", "utf8"), fs.readdirSync("données")[0])
fs.writeFileSync("écrit", "ß")
console.log(fs.existsSync(Buffer.from("écrit")) ? "oui" : "non")
`},
		{"java", "java", javaUnicode},
		{"java with combining marks", "java", strings.ReplaceAll(javaUnicode, "Été", "हिन्दी")},
		{"java in a package", "java", "package à . 日本 /* . x */ . b;\n" + javaUnicode},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := s.runSpec(t, job.Spec{
				Language: tt.language, Source: tt.source,
				Stdin: []byte("entrée ü\n"), Args: []string{"é€😀"}, Env: map[string]string{"MOT": "naïve"},
				Files: []job.File{
					{Name: "données/日本.txt", Data: []byte("こんにちは")},
					{Name: "été.py", Data: []byte("nom = 'été'")},
					{Name: "été.js", Data: []byte("exports.nom = 'été'")},
				},
			})
			step := last(t, res)
			const stdout, stderr = "é€😀\né€😀 naïve entrée ü\nété こんにちは 日本.txt\noui\n", "é€😀\n"
			if res.Status != job.Succeeded || string(step.Stdout.Data) != stdout || string(step.Stderr.Data) != stderr {
				t.Errorf("%s, want succeeded, stdout %q and stderr %q\n%s", res.Status, stdout, stderr, describeStep(step))
			}
		})
	}
}

// Every image has the locale that LANG names: setlocale(3) takes it, and the C library counts characters, not bytes.
func TestLocale(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct{ name, language, source, want string }{
		{"setlocale", "python", "import locale\nprint(locale.setlocale(locale.LC_ALL, ''))", "C.UTF-8\n"},
		{"wc -m", "python", "import os\nos.system(r\"printf '\\303\\251' | wc -m\")", "1\n"},
		{"wc -m", "javascript", "require('child_process').execSync(\"printf '\\\\303\\\\251' | wc -m\", {stdio: 'inherit'})", "1\n"},
		{"wc -m", "java", `class Main { public static void main(String[] args) throws Exception {
  new ProcessBuilder("sh", "-c", "printf '\\303\\251' | wc -m").inheritIO().start().waitFor();
} }`, "1\n"},
	} {
		t.Run(tt.language+" "+tt.name, func(t *testing.T) {
			step := last(t, s.runSpec(t, job.Spec{Language: tt.language, Source: tt.source}))
			if !step.OK() || string(step.Stdout.Data) != tt.want {
				t.Errorf("want stdout %q\n%s", tt.want, describeStep(step))
			}
		})
	}
}
