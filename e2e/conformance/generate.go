// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// generator makes small programs over the standard libraries whose answers are computed here, in Go, by what the languages document:
// no engine says what it should have said.
type generator struct {
	*rand.Rand
	cases map[string][]answer // by language
}

// answer is an expression of a language, and the line that it must print.
type answer struct{ code, want string }

// add adds a case to one language; verbs are fmt's.
func (g *generator) add(language, want, code string, args ...any) {
	g.cases[language] = append(g.cases[language], answer{fmt.Sprintf(code, args...), want})
}

// topics are the parts of the libraries; each adds its cases.
var topics = []struct {
	name string
	add  func(*generator)
}{
	{"whole numbers", wholeNumbers},
	{"words", machineWords},
	{"floats", floats},
	{"text", texts},
	{"digests", digests},
	{"json", jsonTexts},
	{"sorting", sorting},
	{"dates", dates},
	{"patterns", patterns},
	{"random", randomNumbers},
}

var generatedLanguages = []string{"python", "javascript", "java"}

// generate returns the cases of a topic, the same for the same seed.
func generate(topic string, seed int64) map[string][]answer {
	h := fnv.New64()
	h.Write([]byte(topic))
	g := &generator{rand.New(rand.NewPCG(uint64(seed), h.Sum64())), map[string][]answer{}}
	for _, t := range topics {
		if t.name == topic {
			t.add(g)
		}
	}
	return g.cases
}

// sourceOf is a program that prints a line for each case: its number and its value.
func sourceOf(language string, cases []answer) string {
	var b strings.Builder
	b.WriteString(preludes[language])
	for i, c := range cases {
		switch language {
		case "python":
			fmt.Fprintf(&b, "print(%d, %s)\n", i, c.code)
		case "javascript":
			fmt.Fprintf(&b, "console.log(%d + ' ' + (%s));\n", i, c.code)
		case "java": // a method has at most 64 KiB of code
			fmt.Fprintf(&b, "  static void c%d() throws Exception { System.out.println(\"%d \" + (%s)); }\n", i, i, c.code)
		}
	}
	if language == "java" {
		b.WriteString("  public static void main(String[] args) throws Exception {\n")
		for i := range cases {
			fmt.Fprintf(&b, "    c%d();\n", i)
		}
		b.WriteString("  }\n}\n")
	}
	return b.String()
}

// preludes are what the programs begin with.
var preludes = map[string]string{
	"python": `import base64, datetime, functools, hashlib, hmac, json, math, random, re, struct, zlib
`,
	"javascript": `const crypto = require('crypto'); const zlib = require('zlib');
const day = (t) => new Date(t).toISOString().slice(0, 10);
`,
	"java": `import java.math.*; import java.nio.charset.StandardCharsets; import java.security.*; import java.time.*; import java.time.temporal.*; import java.util.*;
import java.util.regex.*; import java.util.stream.*;
public class Main {
  static String digest(String name, String text) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance(name).digest(text.getBytes(StandardCharsets.UTF_8)));
  }
  static long crc(String text) { var c = new java.util.zip.CRC32(); c.update(text.getBytes(StandardCharsets.UTF_8)); return c.getValue(); }
  static String inflate(String base64) throws Exception {
    return new String(new java.util.zip.InflaterInputStream(new java.io.ByteArrayInputStream(Base64.getDecoder().decode(base64))).readAllBytes(), StandardCharsets.UTF_8);
  }
  static String find(String pattern, String text) {
    return Pattern.compile(pattern).matcher(text).results().map(MatchResult::group).collect(Collectors.joining("|"));
  }
`,
}

// generatedUnit runs the cases of a topic in a language. With an argument a program can't be one that a runtime started ahead waits
// for, so that the other way of starting is seen too.
func generatedUnit(language, topic string, cases []answer, args ...string) unit {
	name := strings.Join(append([]string{language, topic}, args...), " ")
	return unit{name, func(ctx context.Context, where place, only []string) (results, error) {
		p := program{language: language, source: sourceOf(language, cases), args: args, wall: time.Minute,
			limits: job.Limits{CPUMs: job.MaxLimits.CPUMs, CPUMillicores: 2000, OutputBytes: job.MaxLimits.OutputBytes}}
		out, err := where.run(ctx, p)
		if err != nil {
			return nil, err
		}
		return judgeLines(name, cases, out), nil
	}}
}

// judgeLines holds what a program printed against its answers, and says how it ended.
func judgeLines(name string, cases []answer, out ran) results {
	r := results{name + " end": {State: pass}}
	if out.end != "exit 0" || out.stderr != "" {
		r[name+" end"] = outcome{fail, out.end + ": " + clip(lastLine(out.stderr))}
	}
	printed := map[string]string{}
	for line := range strings.SplitSeq(out.stdout, "\n") {
		if n, value, ok := strings.Cut(line, " "); ok {
			printed[n] = value
		}
	}
	for i, c := range cases {
		o := outcome{State: pass}
		if got, ok := printed[strconv.Itoa(i)]; got != c.want || !ok {
			o = outcome{fail, clip(fmt.Sprintf("%s = %q, want %q", c.code, got, c.want))}
		}
		r[fmt.Sprintf("%s %d", name, i)] = o
	}
	return r
}
