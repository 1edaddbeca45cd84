// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// StackList is the file in a stacked root that lists its images.
const StackList = "usr/share/ccee/images.json"

// stackSkips are files that differ from image to image and that no program needs: the loader finds the libraries of Debian's directories
// without its cache, and the other is what the image was built of.
var stackSkips = []string{"etc/ld.so.cache", "usr/lib/ccee/platform.txt"}

// Stack puts the trees of images into one directory, for a container whose root is the root of the programs too: it must not exist. No two
// images may have different files of one name, so all must be of one release of a distribution. ReadStack reads what is in there.
func (s *Store) Stack(ctx context.Context, dir string, refs ...string) ([]Image, error) {
	var images []Image
	for _, ref := range refs {
		img, err := s.Get(ctx, ref)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	for _, img := range images {
		tree, err := s.Unpack(ctx, img)
		if err != nil {
			return nil, err
		}
		if err := stackTree(ctx, tree, dir); err != nil {
			return nil, fmt.Errorf("stack %s: %w", img.Name, err)
		}
	}
	return images, writeStackList(filepath.Join(dir, StackList), images)
}

func writeStackList(path string, images []Image) error {
	text, err := json.MarshalIndent(images, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// ReadStack lists the images whose trees are in the root.
func ReadStack(root string) ([]Image, error) {
	path := filepath.Join(root, StackList)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no languages in this root (%s): make it with ccee image stack", path)
	}
	if err != nil {
		return nil, err
	}
	var images []Image
	if err := json.Unmarshal(text, &images); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return images, nil
}

// stackTree copies a tree over what is in dir.
func stackTree(ctx context.Context, tree, dir string) error {
	return filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(tree, path)
		if err != nil || slices.Contains(stackSkips, name) {
			return err
		}
		to := filepath.Join(dir, name)
		switch {
		case d.IsDir():
			return stackDir(to)
		case d.Type() == fs.ModeSymlink:
			return stackLink(path, to)
		}
		return stackFile(path, to)
	})
}

// stackDir makes a directory, or takes one that is there. A link is none: what is copied below it would be elsewhere.
func stackDir(to string) error {
	err := os.Mkdir(to, 0o755)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if st, err := os.Lstat(to); err != nil || !st.IsDir() {
		return fmt.Errorf("%s is a directory, which another image has otherwise", to)
	}
	return nil
}

func stackLink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, to); !errors.Is(err, fs.ErrExist) {
		return err
	}
	if other, err := os.Readlink(to); err != nil || other != target {
		return fmt.Errorf("%s is a link to %s, which another image has otherwise", to, target)
	}
	return nil
}

func stackFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, st.Mode().Perm()) // not through a link
	if errors.Is(err, fs.ErrExist) {
		there, err := os.ReadFile(to)
		if other, statErr := os.Lstat(to); err != nil || statErr != nil || !other.Mode().IsRegular() || !bytes.Equal(there, data) {
			return fmt.Errorf("%s differs from that of another image", to)
		}
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, st.ModTime(), st.ModTime())
}
