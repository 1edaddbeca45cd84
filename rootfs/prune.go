// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keeper determines which names of a tree stay: those that match a pattern, the targets of symbolic links among them, and
// the shared libraries that they need.
//
// A pattern is one of path.Match, and matches everything below a directory too. One that begins with "!" excludes names,
// wherever it is in the list. Libraries and link targets stay in any case.
type keeper struct {
	tree    string
	yes, no []string
	kept    map[string]bool
	wanted  map[string]string // library not found where the linker looks, and who needs it
}

// prune removes all files that the recipe does not keep, makes its links and sets all times.
func (b *build) prune(context.Context) error {
	k := &keeper{tree: b.tree, kept: map[string]bool{}, wanted: map[string]string{}}
	for _, p := range b.Keep {
		if n, ok := strings.CutPrefix(p, "!"); ok {
			k.no = append(k.no, n)
		} else {
			k.yes = append(k.yes, p)
		}
	}
	// With the merged /usr these are links; programs and scripts name files through them.
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if _, err := os.Lstat(filepath.Join(b.tree, link)); err == nil {
			k.kept[link] = true
		}
	}
	if err := k.find(); err != nil {
		return err
	}
	if err := k.removeRest(); err != nil {
		return err
	}
	for name, target := range b.Links {
		if err := os.Symlink(target, filepath.Join(b.tree, name)); err != nil {
			return err
		}
	}
	return setTimes(b.tree, b.Epoch)
}

// find fills kept.
func (k *keeper) find() error {
	used := map[string]bool{}
	err := filepath.WalkDir(k.tree, func(full string, d fs.DirEntry, err error) error {
		if err != nil || full == k.tree {
			return err
		}
		name := full[len(k.tree)+1:]
		if p := matchAny(k.yes, name); p != "" && matchAny(k.no, name) == "" {
			used[p] = true
			return k.keep(name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range k.yes {
		if !used[p] {
			return fmt.Errorf("keep: %q matches nothing", p)
		}
	}
	return k.checkWanted()
}

// checkWanted accepts a library that is kept somewhere: a runtime loads its own by path.
func (k *keeper) checkWanted() error {
	for name := range k.kept {
		delete(k.wanted, path.Base(name))
	}
	for lib, who := range k.wanted {
		return fmt.Errorf("keep: %s needs %s, which is in no package", who, lib)
	}
	return nil
}

// matchAny returns the first pattern that matches name or a directory above it.
func matchAny(patterns []string, name string) string {
	for ; name != "."; name = path.Dir(name) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				return p
			}
		}
	}
	return ""
}

// keep marks name, each symbolic link on the way to its file, and the libraries of that file.
func (k *keeper) keep(name string) error {
	for range 40 { // the kernel's bound of links in a path
		at, rest, link, err := k.firstLink(name)
		if err != nil {
			return err
		}
		if link == "" {
			if !k.kept[name] {
				k.kept[name] = true
				return k.keepLibraries(name)
			}
			return nil
		}
		k.kept[at] = true
		if !strings.HasPrefix(link, "/") {
			link = path.Join(path.Dir(at), link)
		}
		name = path.Join(strings.TrimLeft(path.Clean("/"+link), "/"), rest)
	}
	return fmt.Errorf("keep: %s: too many links", name)
}

// firstLink returns the first element of name that is a symbolic link, the rest of the name, and the link's target: "" if there is none.
// A missing name has none: dangling links do no harm.
func (k *keeper) firstLink(name string) (at, rest, target string, err error) {
	elements := strings.Split(name, "/")
	for i := range elements {
		at = path.Join(elements[:i+1]...)
		info, err := os.Lstat(filepath.Join(k.tree, at))
		if os.IsNotExist(err) {
			return "", "", "", nil
		}
		if err != nil {
			return "", "", "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err = os.Readlink(filepath.Join(k.tree, at))
			return at, path.Join(elements[i+1:]...), target, err
		}
	}
	return "", "", "", nil
}

// removeRest removes all files that aren't kept and the directories that are empty then.
func (k *keeper) removeRest() error {
	var dirs []string
	err := filepath.WalkDir(k.tree, func(full string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || full == k.tree:
			return err
		case d.IsDir():
			dirs = append(dirs, full)
			return nil
		case k.kept[full[len(k.tree)+1:]]:
			return nil
		}
		return os.Remove(full)
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) { // the deepest first
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			continue
		}
		if err := os.Remove(dir); err != nil {
			return err
		}
	}
	return k.mountPoints()
}

// mountPoints makes the directories that the recipe's commands use.
func (k *keeper) mountPoints() error {
	for _, dir := range mountPoints {
		if err := os.MkdirAll(filepath.Join(k.tree, dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// setTimes gives all files below dir the same time.
func setTimes(dir string, t time.Time) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return os.Chtimes(path, t, t)
	})
}

// newestFile returns the time of the newest file below dir, in whole seconds.
func newestFile(dir string) (time.Time, error) {
	var newest time.Time
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	return newest.Truncate(time.Second).UTC(), err
}
