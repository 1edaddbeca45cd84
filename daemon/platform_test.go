// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// leftOutOfImages is what the standard distributions offer and the images don't have: patterns of lines that images/*/platform.* write, and
// words of images/README.md, which says why.
var leftOutOfImages = map[string]map[string]string{
	"python": {
		"module _testbuffer":             "the tests",
		"module _testcapi":               "the tests",
		"module _testclinic*":            "the tests",
		"module _testexternalinspection": "the tests",
		"module _testimportmultiple":     "the tests",
		"module _testinternalcapi":       "the tests",
		"module _testlimitedcapi":        "the tests",
		"module _testmultiphase":         "the tests",
		"module _testsinglephase":        "the tests",
		"module xx*":                     "the examples `xxlimited` and `xxsubtype`",
		"module ensurepip*":              "ensurepip and pip",
		"module idlelib":                 "IDLE",
		"module _tkinter":                "tkinter and turtle",
		"module tkinter":                 "tkinter and turtle",
		"module turtle":                  "tkinter and turtle",
		"module _ios_support":            "modules of other systems",
		"module _overlapped":             "modules of other systems",
		"module _scproxy":                "modules of other systems",
		"module _winapi":                 "modules of other systems",
		"module _wmi":                    "modules of other systems",
		"module msvcrt":                  "modules of other systems",
		"module nt":                      "modules of other systems",
		"module winreg":                  "modules of other systems",
		"module winsound":                "modules of other systems",
	},
	"java": {
		"file lib/src.zip":                   "sources",
		"file conf/accessibility.properties": "Debian's own files of settings",
		"file conf/jaxp-strict.properties":   "Debian's own files of settings",
		"file conf/security/nss.cfg":         "Debian's own files of settings",
		"file conf/swing.properties":         "Debian's own files of settings",
		"file lib/jar.binfmt":                "Debian's own files of settings",
		"file lib/jvm.cfg-default":           "Debian's own files of settings",
	},
	"javascript": {},
}

// documented is a line or two of each kind of what the languages' documentation promises: the lists in the images can't be short of it.
var documented = map[string][]string{
	"python": {"module asyncio.taskgroups", "module curses.panel", "module dbm.gnu", "module dbm.ndbm", "module xml.etree.ElementTree", "module zoneinfo", "module lzma",
		"module readline", "module ctypes.util", "encoding cp037", "encoding shift_jisx0213", "encoding idna", "hash blake2s", "hash shake_256", "zone US/Eastern", "zone Europe/Kyiv",
		"zone Asia/Calcutta", "service http", "protocol udp", "terminal xterm-256color", "mime-type .7z", "sqlite-module fts5", "sqlite-function json_extract", "library m"},
	"java": {"module java.se", "module java.desktop", "module jdk.localedata", "module jdk.charsets", "module jdk.crypto.cryptoki", "module jdk.httpserver", "module jdk.jshell",
		"module jdk.incubator.vector", "package java.awt.geom", "package javax.sql.rowset", "package com.sun.net.httpserver", "charset IBM037", "charset GB18030", "charset EUC-JP",
		"zone US/Eastern", "zone SystemV/EST5EDT", "calendar Japanese", "currency EUR", "tool jar", "tool javadoc", "image-writer png", "algorithm SunEC Signature Ed25519",
		"algorithm SunJCE Cipher ChaCha20-Poly1305", "file lib/ct.sym", "file bin/jshell", "locale zh-TW",
		"text de-DE | 12.324,13\u00a0€ | 1.234,50 | Dienstag 5 März | Deutsch | -1",
		"text fr-FR | 12\u202f324,13\u00a0€ | 1\u202f234,50 | mardi 5 mars | français | -1",
		"text sv-SE | 12\u00a0324,13\u00a0kr | 1\u00a0234,50 | tisdag 5 mars | svenska | 1"},
	// nodejs.org/docs/latest-v24.x/api, the index.
	"javascript": {"module assert/strict", "module async_hooks", "module buffer", "module child_process", "module cluster", "module console", "module crypto",
		"module dgram", "module diagnostics_channel", "module dns/promises", "module domain", "module events", "module fs/promises", "module http", "module http2", "module https",
		"module inspector/promises", "module module", "module net", "module os", "module path/posix", "module perf_hooks", "module punycode", "module querystring",
		"module readline/promises", "module repl", "module node:sea", "module node:sqlite", "module stream/web", "module string_decoder", "module node:test/reporters", "module timers/promises",
		"module tls", "module trace_events", "module tty", "module url", "module util/types", "module v8", "module vm", "module wasi", "module worker_threads", "module zlib",
		"global WebAssembly", "global fetch", "cipher aes-256-gcm", "hash sha3-512", "curve secp256k1", "encoding gb18030", "compression zstdCompress", "collation phonebk",
		"calendar japanese", "date US/Eastern EST-0500", "text de | 12.324,13\u00a0€ | Dienstag, 5. März | Englisch | aäz",
		"text sv | 12\u00a0324,13\u00a0€ | tisdag 5 mars | engelska | azä"},
}

// TestPlatform: a job finds all that the standard distribution of its language offers. The image has the list that images/*/platform.*
// wrote where everything was unpacked; in the jail the same program says what is missing.
func TestPlatform(t *testing.T) {
	s := realDaemon(t, nil)
	store := openImages(t)
	defer store.Close()
	readme, err := os.ReadFile("../images/README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(strings.Fields(string(readme)), " ")
	generous := job.Limits{CPUMillicores: 4000, CPUMs: 60_000, WallMs: 60_000, MemoryBytes: 512 * job.MiB, OutputBytes: job.MiB}
	const list = "/usr/lib/ccee/platform.txt"
	for language, file := range map[string]string{"python": "platform.py", "java": "Platform.java", "javascript": "platform.js"} {
		t.Run(language, func(t *testing.T) {
			source, err := os.ReadFile(path.Join("../images", language, file))
			if err != nil {
				t.Fatal(err)
			}
			image, err := store.Get(t.Context(), language)
			if err != nil {
				t.Fatal(err)
			}
			root, err := store.Unpack(t.Context(), image)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path.Join(root, list))
			if err != nil {
				t.Fatal(err)
			}
			offered := strings.Split(string(data), "\n")
			step := last(t, s.runSpec(t, job.Spec{Language: language, Source: string(source), Args: []string{list}, Run: generous}))
			if !step.OK() || step.Stdout.Truncated {
				t.Fatalf("the list can't be compared\n%s", describeStep(step))
			}
			missing := strings.FieldsFunc(string(step.Stdout.Data), func(r rune) bool { return r == '\n' })
			known := leftOutOfImages[language]
			for _, line := range missing {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(known)), matches(line)) {
					t.Errorf("missing: %s", line)
				}
			}
			for pattern, why := range known {
				if !strings.Contains(said, why) {
					t.Errorf("images/README.md does not say %q, for %s", why, pattern)
				}
				if !slices.ContainsFunc(missing, func(line string) bool { return matches(line)(pattern) }) {
					t.Errorf("%s is there: it needs no exception", pattern)
				}
			}
			for _, line := range documented[language] {
				if !slices.Contains(offered, line) {
					t.Errorf("documented, but not in the list: %s", line)
				}
			}
		})
	}
}

// matches returns whether a pattern matches line.
func matches(line string) func(pattern string) bool {
	return func(pattern string) bool {
		ok, err := path.Match(pattern, line)
		return ok && err == nil
	}
}
