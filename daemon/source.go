package daemon

import (
	"path"
	"regexp"
	"strings"

	"ccee/api/job"
)

// sourceNames says where the source goes and by which class it is started. For a language with PublicClass the file is named
// after the public type, as javac demands; a package clause becomes part of the class name.
func sourceNames(spec *job.Spec, lang *job.Language) (file, class string, err error) {
	file = lang.SourceFile
	class = strings.TrimSuffix(path.Base(file), path.Ext(file))
	text := spec.Source
	if text == "" {
		data, ok := fileNamed(spec.Files, file)
		if !ok {
			return "", "", job.Invalid("sourceCode", "is required, unless files has %s", file)
		}
		text = string(data)
	}
	if lang.PublicClass {
		outer := topLevel(text)
		if m := publicType.FindStringSubmatch(outer); m != nil && spec.Source != "" {
			class = m[1]
			file = path.Join(path.Dir(file), class+path.Ext(file))
		}
		if m := packageClause.FindStringSubmatch(outer); m != nil {
			// Java allows white space around the dots of the clause; the name that java takes has none.
			class = strings.Join(strings.Fields(m[1]), "") + "." + class
		}
	}
	if len(file) > job.MaxNameBytes {
		return "", "", job.Invalid("sourceCode", "has a public class with a name of %d bytes, at most %d are allowed", len(class), job.MaxNameBytes-len(path.Ext(file)))
	}
	return file, class, nil
}

func fileNamed(files []job.File, name string) ([]byte, bool) {
	for _, f := range files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}

// identifier is what Character.isJavaIdentifierStart and isJavaIdentifierPart take: marks belong to it, for many scripts, and
// many keyboards, write letters with them.
const identifier = `[\p{L}\p{Nl}\p{Sc}\p{Pc}][\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mn}\p{Mc}]*`

var (
	publicType    = regexp.MustCompile(`\bpublic\s+(?:(?:abstract|final|sealed|non-sealed|strictfp)\s+)*(?:class|record|enum|interface|@interface)\s+(` + identifier + `)`)
	packageClause = regexp.MustCompile(`^\s*(?:@` + identifier + `\s+)*package\s+(` + identifier + `(?:\s*\.\s*` + identifier + `)*)\s*;`)
)

// topLevel is text without what a search for a declaration must not see: comments, strings, and everything inside braces, so
// that neither a class named in a comment nor a nested public class is taken for the one that names the file.
func topLevel(text string) string {
	var out strings.Builder
	depth := 0
	for text != "" {
		n := skip(text)
		switch {
		case n > 0:
			out.WriteByte(' ')
			text = text[n:]
			continue
		case text[0] == '{':
			depth++
		case text[0] == '}':
			out.WriteByte(' ')
			depth = max(0, depth-1)
		case depth == 0:
			out.WriteByte(text[0])
		}
		text = text[1:]
	}
	return out.String()
}

// skip is the length of the comment or literal that text begins with, or 0.
func skip(text string) int {
	switch {
	case strings.HasPrefix(text, "//"):
		return through(text, 2, "\n")
	case strings.HasPrefix(text, "/*"):
		return through(text, 2, "*/")
	case strings.HasPrefix(text, `"""`):
		return literal(text, `"""`)
	case text[0] == '"', text[0] == '\'':
		return literal(text, text[:1])
	}
	return 0
}

// through is the length of text up to and with the first end at or after from, or all of it.
func through(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// literal is the length of the literal between two quotes. An unfinished one of a single quote ends with its line: then the
// text is no program anyway, and javac is the one to say so.
func literal(text, quote string) int {
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\n' && len(quote) == 1:
			return i
		}
	}
	return len(text)
}
