// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// alphabet has characters of one to four bytes in UTF-8, of one and two units in UTF-16.
var alphabet = []rune("abcXYZ019 _-äßéΩжاक中日한😀𝄞🧪")

func (g *generator) text(n int) string {
	runes := make([]rune, n)
	for i := range runes {
		runes[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(runes)
}

// quote is a string literal of all three languages: ASCII, with escapes for UTF-16 units, which Python needs another form of.
func quote(language, s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case language == "python":
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		}
	}
	return b.String() + `"`
}

func reversed(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

// texts are strings: their length in the units of the language, their bytes, their parts.
func texts(g *generator) {
	for range 60 {
		s := g.text(1 + g.IntN(30))
		p, j, v := quote("python", s), quote("javascript", s), quote("java", s)
		units := fmt.Sprint(len(utf16.Encode([]rune(s))))
		g.add("python", fmt.Sprint(len([]rune(s))), "len(%s)", p)
		g.add("javascript", units, "%s.length", j)
		g.add("java", units, "%s.length()", v)
		g.add("javascript", fmt.Sprint(len([]rune(s))), "[...%s].length", j)
		g.add("java", fmt.Sprint(len([]rune(s))), "%s.codePoints().count()", v)
		utf8 := hex.EncodeToString([]byte(s))
		g.add("python", utf8, "%s.encode().hex()", p)
		g.add("javascript", utf8, "Buffer.from(%s).toString('hex')", j)
		g.add("java", utf8, "HexFormat.of().formatHex(%s.getBytes(StandardCharsets.UTF_8))", v)
		g.add("python", reversed(s), "%s[::-1]", p)
		g.add("javascript", reversed(s), "[...%s].reverse().join('')", j)
		g.add("java", reversed(s), "new StringBuilder(%s).reverse()", v)
		parts := strings.Split(s, "a")
		g.add("python", strings.Join(parts, "|"), `"|".join(%s.split("a"))`, p)
		g.add("javascript", strings.Join(parts, "|"), `%s.split("a").join("|")`, j)
		g.add("java", strings.Join(parts, "|"), `String.join("|", %s.split("a", -1))`, v)
		g.add("python", strings.ReplaceAll(s, "b", "<>"), `%s.replace("b", "<>")`, p)
		g.add("javascript", strings.ReplaceAll(s, "b", "<>"), `%s.replaceAll("b", "<>")`, j)
		g.add("java", strings.ReplaceAll(s, "b", "<>"), `%s.replace("b", "<>")`, v)
	}
}

// digests are functions of bytes that standards define.
func digests(g *generator) {
	for range 40 {
		s := g.text(g.IntN(200))
		p, j, v := quote("python", s), quote("javascript", s), quote("java", s)
		b := []byte(s)
		for _, d := range []struct{ python, java, want string }{
			{"md5", "MD5", fmt.Sprintf("%x", md5.Sum(b))}, {"sha1", "SHA-1", fmt.Sprintf("%x", sha1.Sum(b))},
			{"sha256", "SHA-256", fmt.Sprintf("%x", sha256.Sum256(b))}, {"sha512", "SHA-512", fmt.Sprintf("%x", sha512.Sum512(b))},
		} {
			g.add("python", d.want, "hashlib.%s(%s.encode()).hexdigest()", d.python, p)
			g.add("javascript", d.want, "crypto.createHash('%s').update(%s).digest('hex')", d.python, j)
			g.add("java", d.want, "digest(%q, %s)", d.java, v)
		}
		crc := fmt.Sprint(crc32.ChecksumIEEE(b))
		g.add("python", crc, "zlib.crc32(%s.encode())", p)
		g.add("javascript", crc, "zlib.crc32(%s)", j)
		g.add("java", crc, "crc(%s)", v)
		mac := hmac.New(sha256.New, []byte("key"))
		mac.Write(b)
		g.add("python", fmt.Sprintf("%x", mac.Sum(nil)), "hmac.new(b'key', %s.encode(), 'sha256').hexdigest()", p)
		g.add("javascript", fmt.Sprintf("%x", mac.Sum(nil)), "crypto.createHmac('sha256', 'key').update(%s).digest('hex')", j)
		code := base64.StdEncoding.EncodeToString(b)
		g.add("python", code, "base64.b64encode(%s.encode()).decode()", p)
		g.add("javascript", code, "Buffer.from(%s).toString('base64')", j)
		g.add("java", code, "Base64.getEncoder().encodeToString(%s.getBytes(StandardCharsets.UTF_8))", v)
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		_, _ = w.Write(b) // to memory
		_ = w.Close()
		code = base64.StdEncoding.EncodeToString(packed.Bytes())
		g.add("python", s, "zlib.decompress(base64.b64decode('%s')).decode()", code)
		g.add("javascript", s, "zlib.inflateSync(Buffer.from('%s', 'base64')).toString()", code)
		g.add("java", s, "inflate(%q)", code)
	}
}

// jsonTexts are read and written again. Java's library has no JSON.
func jsonTexts(g *generator) {
	for range 60 {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(g.value(4)) // to memory
		want := strings.TrimSpace(b.String())
		code := base64.StdEncoding.EncodeToString([]byte(want))
		g.add("python", want, "json.dumps(json.loads(base64.b64decode('%s')), sort_keys=True, ensure_ascii=False, separators=(',', ':'))", code)
		g.add("javascript", want, "JSON.stringify(JSON.parse(Buffer.from('%s', 'base64').toString()))", code)
	}
}

// value is what all write in the same way: keys that don't look like numbers, which JavaScript would put first.
func (g *generator) value(depth int) any {
	switch n := g.IntN(8); {
	case n < 2 && depth > 0:
		m := map[string]any{}
		for range g.IntN(5) {
			m[fmt.Sprintf("k%d", g.IntN(100))] = g.value(depth - 1)
		}
		return m
	case n < 4 && depth > 0:
		list := []any{}
		for range g.IntN(5) {
			list = append(list, g.value(depth-1))
		}
		return list
	case n == 4:
		return nil
	case n == 5:
		return g.IntN(2) == 0
	case n == 6:
		return g.text(g.IntN(8))
	}
	return g.IntN(2_000_000) - 1_000_000
}

// patterns are of the subset of regular expressions that all understand in the same way; none matches the empty text.
func patterns(g *generator) {
	for range 80 {
		pattern := g.pattern(3)
		letters := make([]byte, 30)
		for i := range letters {
			letters[i] = "abc"[g.IntN(3)]
		}
		s := string(letters)
		want := strings.Join(regexp.MustCompile(pattern).FindAllString(s, -1), "|")
		g.add("python", want, `"|".join(m.group() for m in re.finditer("%s", "%s"))`, pattern, s)
		g.add("javascript", want, `("%s".match(/%s/g) || []).join("|")`, s, pattern)
		g.add("java", want, `find("%s", "%s")`, pattern, s)
	}
}

func (g *generator) pattern(depth int) string {
	atom := []string{"a", "b", "c", "[ab]", "[^a]", ".", "(?:ab|c)", "(?:a|bc)"}[g.IntN(8)]
	if depth == 0 {
		return atom
	}
	switch g.IntN(4) {
	case 0:
		return atom + []string{"+", "{2}", "{1,2}", "+?"}[g.IntN(4)] + g.pattern(depth-1)
	case 1:
		return atom + []string{"?", "*", "*?", "??"}[g.IntN(4)] + g.pattern(depth-1)
	case 2:
		return "(?:" + g.pattern(depth-1) + "|" + g.pattern(depth-1) + ")"
	}
	return atom + g.pattern(depth-1)
}
