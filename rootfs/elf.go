// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"debug/elf"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// keepLibraries keeps the dynamic linker and the shared libraries that name needs, if it is an ELF file; see ld.so(8). Libraries
// that a program loads with dlopen(3) can't be found here: recipes name them.
func (k *keeper) keepLibraries(name string) error {
	f, err := elf.Open(filepath.Join(k.tree, name))
	if err != nil {
		return nil // a script, a directory, data
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		buf := make([]byte, min(p.Filesz, 4096))
		if _, err := p.ReadAt(buf, 0); err != nil {
			return err
		}
		if err := k.keep(strings.Trim(string(buf), "/\x00")); err != nil {
			return err
		}
	}
	libs, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, lib := range libs {
		if err := k.keepLibrary(lib, name, k.searchPath(f, name)); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) keepLibrary(lib, neededBy string, dirs []string) error {
	for _, dir := range dirs {
		found := path.Join(dir, lib)
		if _, err := os.Lstat(filepath.Join(k.tree, found)); err == nil {
			return k.keep(found)
		}
	}
	k.wanted[lib] = neededBy
	return nil
}

// searchPath lists the directories in which the dynamic linker looks for the libraries of an ELF file.
func (k *keeper) searchPath(f *elf.File, name string) []string {
	var dirs []string
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, _ := f.DynString(tag)
		for _, v := range values {
			for dir := range strings.SplitSeq(v, ":") {
				dir = strings.NewReplacer("$ORIGIN", "/"+path.Dir(name), "${ORIGIN}", "/"+path.Dir(name)).Replace(dir)
				dirs = append(dirs, strings.TrimLeft(path.Clean("/"+dir), "/"))
			}
		}
	}
	multiarch, _ := filepath.Glob(filepath.Join(k.tree, "usr/lib/*-linux-gnu*"))
	for _, dir := range multiarch {
		dirs = append(dirs, dir[len(k.tree)+1:])
	}
	return append(dirs, "usr/lib")
}
