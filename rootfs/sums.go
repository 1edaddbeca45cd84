// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeSums lists the tree below root in a file, to be compared by checkSums: a line for each entry, in lexical order,
//
//	<mode> <size> <sha256 of the content or link target> <quoted name>
func writeSums(root, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := walkSums(root, true, func(line string) error {
		_, err := w.WriteString(line)
		return err
	}); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// checkSums returns nil when the tree is what writeSums listed, or an error that names the first difference. Without content it compares
// everything but the SHA-256, and reads no file.
func checkSums(root, from string, content bool) error {
	want, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	err = walkSums(root, content, func(line string) error {
		expected, rest, _ := bytes.Cut(want, []byte("\n"))
		if !content {
			expected = withoutSum(expected)
		}
		if string(expected)+"\n" != line {
			return fmt.Errorf("the tree has %q where it should have %q", line[:len(line)-1], expected)
		}
		want = rest
		return nil
	})
	if err == nil && len(want) > 0 {
		missing, _, _ := bytes.Cut(want, []byte("\n"))
		err = fmt.Errorf("the tree lacks %q", missing)
	}
	return err
}

// withoutSum returns a line of writeSums with "-" for the SHA-256.
func withoutSum(line []byte) []byte {
	f := bytes.SplitN(line, []byte(" "), 4)
	if len(f) == 4 {
		f[2] = []byte("-")
	}
	return bytes.Join(f, []byte(" "))
}

// walkSums calls emit with the line of each entry below root; without content it has "-" for the SHA-256.
func walkSums(root string, content bool, emit func(line string) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		sum, size := "-", int64(0) // a directory's own size depends on the file system
		if !info.IsDir() {
			size = info.Size()
		}
		if content && !info.IsDir() {
			if sum, err = contentSum(path, info); err != nil {
				return err
			}
		}
		return emit(fmt.Sprintf("%v %d %s %q\n", info.Mode(), size, sum, name))
	})
}

// contentSum returns the SHA-256 of a file's content or a link's target.
func contentSum(path string, info fs.FileInfo) (string, error) {
	h := sha256.New()
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		h.Write([]byte(target))
	case info.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := io.Copy(h, f); err != nil {
			return "", err
		}
	default:
		return "", errors.New(path + " is neither file, directory nor link")
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
