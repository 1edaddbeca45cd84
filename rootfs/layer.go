// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Bounds limit the size of an unpacked image, all its layers together.
type Bounds struct {
	Bytes   int64 // of all files
	Entries int64 // in the archives
	Name    int   // bytes of an entry's name or link target
	Depth   int   // elements of an entry's name
}

// DefaultBounds are those of Open.
var DefaultBounds = Bounds{Bytes: 8 << 30, Entries: 1_000_000, Name: 4095, Depth: 128}

// unpacker applies layers to a tree, the lowest first.
type unpacker struct {
	root   *os.Root
	bounds Bounds
	left   Bounds          // Bytes and Entries count down
	made   map[string]bool // names that the current layer made, see note: its whiteouts are about lower layers only
}

// layer applies one layer: a tar archive, plain or compressed with gzip or zstd. It reads r to its end, so that the whole blob
// is checked.
func (u *unpacker) layer(ctx context.Context, r io.Reader) error {
	u.made = map[string]bool{}
	plain, closeFn, err := decompress(&ctxReader{ctx, r})
	if err != nil {
		return err
	}
	defer closeFn()
	tr := tar.NewReader(plain)
	for {
		hdr, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if err := u.entry(hdr, tr); err != nil {
			return fmt.Errorf("entry %q: %w", shorten(hdr.Name), err)
		}
	}
	// Bytes after the archive's end count for the digest, and must not be a bomb either.
	n, err := io.Copy(io.Discard, io.LimitReader(plain, maxTrailer+1))
	if err == nil && n > maxTrailer {
		return fmt.Errorf("more than %d bytes follow the end of the archive", maxTrailer)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return err
}

// maxTrailer bounds the padding after an archive's end: bytes.
const maxTrailer = 16 << 20

// entry applies one entry of the archive.
func (u *unpacker) entry(hdr *tar.Header, data io.Reader) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := u.admit(hdr)
	if err != nil || name == "." {
		return err
	}
	dir, base := path.Split(name)
	if removed, ok := strings.CutPrefix(base, ".wh."); ok {
		return u.whiteout(path.Clean(dir), removed)
	}
	if err := u.makeWay(name, hdr.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	u.note(name)
	switch hdr.Typeflag {
	case tar.TypeDir:
		return u.mkdir(name)
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		return u.file(name, hdr, data)
	case tar.TypeSymlink:
		return u.root.Symlink(hdr.Linkname, name)
	case tar.TypeLink:
		return u.link(hdr.Linkname, name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil // left out: /dev is prepared by the sandbox
	default:
		return fmt.Errorf("type %q is unknown", hdr.Typeflag)
	}
}

// admit checks the entry against the bounds and returns its name relative to the root.
func (u *unpacker) admit(hdr *tar.Header) (string, error) {
	u.left.Entries--
	u.left.Bytes -= hdr.Size
	switch {
	case u.left.Entries < 0:
		return "", fmt.Errorf("the image has more than %d entries", u.bounds.Entries)
	case hdr.Size < 0 || u.left.Bytes < 0:
		return "", fmt.Errorf("the image unpacks to more than %d bytes", u.bounds.Bytes)
	case len(hdr.Name) > u.bounds.Name || len(hdr.Linkname) > u.bounds.Name:
		return "", fmt.Errorf("a name is longer than %d bytes", u.bounds.Name)
	case strings.ContainsRune(hdr.Name+hdr.Linkname, 0):
		return "", errors.New("a name contains NUL")
	}
	return u.relative(hdr.Name)
}

// relative makes a name of the archive relative to the root: as tar does, a leading slash means nothing; ".." is refused.
func (u *unpacker) relative(name string) (string, error) {
	elements := strings.Split(name, "/")
	if len(elements) > u.bounds.Depth {
		return "", fmt.Errorf("the name is deeper than %d directories", u.bounds.Depth)
	}
	if slices.Contains(elements, "..") {
		return "", errors.New(`the name has ".." in it`)
	}
	return path.Clean("./" + strings.TrimLeft(name, "/")), nil
}

// makeWay makes the parent directories of name and removes an existing entry, except a directory that stays one.
func (u *unpacker) makeWay(name string, isDir bool) error {
	if dir := path.Dir(name); dir != "." {
		if err := u.mkdirAll(dir); err != nil {
			return err
		}
	}
	info, err := u.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case isDir && info.IsDir():
		return nil
	}
	return u.root.RemoveAll(name)
}

// mkdirAll is Root.MkdirAll, with 0755 whatever the umask.
func (u *unpacker) mkdirAll(dir string) error {
	if _, err := u.root.Stat(dir); err == nil {
		return nil // a file or a link out of the root fails in the next call that uses it
	}
	if parent := path.Dir(dir); parent != "." {
		if err := u.mkdirAll(parent); err != nil {
			return err
		}
	}
	return u.mkdir(dir)
}

func (u *unpacker) mkdir(name string) error {
	if err := u.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return u.root.Chmod(name, 0o755)
}

// file makes a new regular file. O_EXCL: nothing that exists is followed or written to.
func (u *unpacker) file(name string, hdr *tar.Header, data io.Reader) error {
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, data); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if hdr.Mode&0o111 != 0 {
		mode = 0o755
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// Runtimes compare times: a JVM refuses a cache if the time of the modules file has changed since it was made.
	return u.root.Chtimes(name, hdr.ModTime, hdr.ModTime)
}

// link makes a hard link to a regular file of the tree.
func (u *unpacker) link(target, name string) error {
	from, err := u.relative(target)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", shorten(target), err)
	}
	info, err := u.root.Lstat(from)
	if err != nil {
		return fmt.Errorf("hard link: %w", err)
	}
	if info.Mode()&fs.ModeType&^fs.ModeSymlink != 0 {
		return fmt.Errorf("hard link to %q, which is not a file", shorten(target))
	}
	return u.root.Link(from, name)
}

// whiteout hides the entry of lower layers at dir/removed, or everything below dir for the opaque whiteout ".wh..wh..opq".
func (u *unpacker) whiteout(dir, removed string) error {
	switch {
	case removed == ".wh..opq":
		return u.hideLower(dir)
	case strings.HasPrefix(removed, ".wh."), removed == "", removed == ".", removed == "..":
		return nil // other names of that form are notes of aufs
	}
	name := path.Join(dir, removed)
	if u.made[name] {
		return u.hideLower(name)
	}
	err := u.root.RemoveAll(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// hideLower removes everything below dir that this layer didn't make.
func (u *unpacker) hideLower(dir string) error {
	info, err := u.root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(u.root.FS(), dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if u.made[name] {
			err = u.hideLower(name)
		} else {
			err = u.root.RemoveAll(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note records that the current layer made name, and thereby an entry in each directory above.
func (u *unpacker) note(name string) {
	for ; name != "." && !u.made[name]; name = path.Dir(name) {
		u.made[name] = true
	}
}
