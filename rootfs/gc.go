// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Remove removes an image, by name or digest, from the index. Jobs that use it continue, and its files stay until GC.
func (s *Store) Remove(ctx context.Context, ref string) error {
	l, err := s.flock(ctx, "store", unix.LOCK_EX)
	if err != nil {
		return fmt.Errorf("remove image %s: %w", ref, err)
	}
	defer l.unlock()
	img, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	if err := s.setRef(img.Name, nil); err != nil {
		return fmt.Errorf("remove image %s: %w", ref, err)
	}
	return nil
}

// Collected counts what GC removed.
type Collected struct {
	Blobs    int      `json:"blobs"`    // removed
	Trees    int      `json:"trees"`    // removed
	Leftover int      `json:"leftover"` // removed: work directories of killed processes
	Bytes    int64    `json:"bytes"`    // freed
	InUse    []string `json:"inUse"`    // digests of trees that no image has any more, kept because a process uses them
}

// GC removes blobs and trees that belong to no image, and leftovers of killed processes. It waits until builds and imports have
// stored their images, but never for a tree that is in use.
func (s *Store) GC(ctx context.Context) (Collected, error) {
	c := Collected{InUse: []string{}}
	l, err := s.flock(ctx, "store", unix.LOCK_EX)
	if err != nil {
		return c, fmt.Errorf("collect garbage: %w", err)
	}
	defer l.unlock()
	if c.Leftover, err = s.sweep(); err != nil {
		return c, fmt.Errorf("collect garbage: %w", err)
	}
	blobs, trees, err := s.referenced()
	if err != nil {
		return c, fmt.Errorf("collect garbage: nothing removed: %w", err)
	}
	if err := s.removeBlobs(ctx, blobs, &c); err != nil {
		return c, fmt.Errorf("collect garbage: %w", err)
	}
	if err := s.removeTrees(ctx, trees, &c); err != nil {
		return c, fmt.Errorf("collect garbage: %w", err)
	}
	return c, nil
}

// referenced returns the hex digests of all blobs and the names of all trees of the images.
func (s *Store) referenced() (blobs, trees map[string]bool, err error) {
	index, err := s.readIndex()
	if err != nil {
		return nil, nil, err
	}
	blobs, trees = map[string]bool{}, map[string]bool{}
	for _, d := range index.Manifests {
		blobs[d.Digest.Hex], trees[treeName(d.Digest.Hex)] = true, true
		m, err := s.manifest(d.Annotations[refName], d)
		if damaged := new(DamagedError); errors.As(err, &damaged) {
			continue // what it refers to can't be known, and is of no use without it
		}
		if err != nil {
			return nil, nil, err
		}
		blobs[m.Config.Digest.Hex] = true
		for _, l := range m.Layers {
			blobs[l.Digest.Hex] = true
		}
	}
	return blobs, trees, nil
}

func (s *Store) removeBlobs(ctx context.Context, keep map[string]bool, c *Collected) error {
	dir := filepath.Join(s.dir, "blobs", "sha256")
	blobs, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if keep[b.Name()] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if info, err := b.Info(); err == nil {
			c.Bytes += info.Size()
		}
		if err := os.RemoveAll(filepath.Join(dir, b.Name())); err != nil {
			return err
		}
		c.Blobs++
	}
	return nil
}

func (s *Store) removeTrees(ctx context.Context, keep map[string]bool, c *Collected) error {
	trees, err := os.ReadDir(s.Dir())
	if err != nil {
		return err
	}
	for _, t := range trees {
		if keep[t.Name()] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.removeTree(ctx, t.Name(), c); err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes a tree unless a process has its lease. It renames it into work/ first, so that a kill in the middle leaves no
// incomplete tree under its name.
func (s *Store) removeTree(ctx context.Context, name string, c *Collected) error {
	l, err := s.flock(ctx, "tree-"+name, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, errLocked) {
		hex, _, _ := strings.Cut(name, "-") // see treeName
		c.InUse = append(c.InUse, "sha256:"+hex)
		return nil
	}
	if err != nil {
		return err
	}
	defer l.remove()
	w, err := s.newWork()
	if err != nil {
		return err
	}
	defer w.remove()
	size := diskUsage(filepath.Join(s.Dir(), name))
	if err := os.Rename(filepath.Join(s.Dir(), name), filepath.Join(w.dir, "tree")); err != nil {
		return err
	}
	c.Trees++
	c.Bytes += size
	return nil
}

// diskUsage adds up the sizes of the files below dir.
func diskUsage(dir string) int64 {
	var n int64
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
