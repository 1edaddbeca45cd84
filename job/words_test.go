// SPDX-License-Identifier: Apache-2.0

package job

import "testing"

func TestWords(t *testing.T) {
	w := Words{Source: "{class}.py", Class: "a.B", MemoryBytes: 128 * MiB, CPUs: 2}
	for _, tt := range []struct{ s, want, shown string }{
		{"-Xmx{memory75MiB}m", "-Xmx96m", "-Xmx<memory>m"},
		{"--a={memory62MiB} --b={memory3MiB}", "--a=79 --b=3", "--a=<memory> --b=<memory>"},
		{"-cp .:{class}", "-cp .:a.B", "-cp .:Main"},
		{"{source}{source}", "{class}.py{class}.py", "Main.javaMain.java"}, // a source's name is not looked at again
		{"{cpus}", "2", "<cpus>"},
		{"{memory100MiB}{memory0MiB}{memoryMiB}{Source}{}", "{memory100MiB}{memory0MiB}{memoryMiB}{Source}{}", "{memory100MiB}{memory0MiB}{memoryMiB}{Source}{}"},
	} {
		if got := w.Expand(tt.s); got != tt.want {
			t.Errorf("Expand(%q) = %q, want %q", tt.s, got, tt.want)
		}
		if got := ShowWords(tt.s, "Main.java", "Main"); got != tt.shown {
			t.Errorf("ShowWords(%q) = %q, want %q", tt.s, got, tt.shown)
		}
	}
	for _, tt := range []struct {
		memory int64
		want   string
	}{{512 * MiB, "384"}, {64 * MiB, "48"}, {128*MiB + 1, "96"}, {MiB, "1"}} {
		if got := (Words{MemoryBytes: tt.memory}).Expand("{memory75MiB}"); got != tt.want {
			t.Errorf("{memory75MiB} of %d = %s, want %s", tt.memory, got, tt.want)
		}
	}
}
