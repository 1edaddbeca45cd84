// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/singleflight"
)

// Store is an image store on disk. Its methods may be called from many goroutines, and several processes may have the same
// directory open.
type Store struct {
	dir    string
	bounds Bounds

	flights singleflight.Group // one unpacking a digest in this process
	running sync.WaitGroup     // the flights, which outlive callers that gave up

	mu     sync.RWMutex
	index  indexCache         // guarded by mu
	images map[string]Image   // by digest: what the manifest and config say; guarded by mu
	leases map[string]*leased // by digest: trees handed out; guarded by mu
}

// leased is a tree that this store has handed out.
type leased struct {
	path string
	lock *lock
}

// Open opens the store in dir, making it if it is missing, and removes leftovers of killed processes. The caller must close it.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	s := &Store{dir: dir, bounds: DefaultBounds, images: map[string]Image{}, leases: map[string]*leased{}}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("open image store %s: %w", dir, err)
	}
	return s, nil
}

// prepare makes the layout and cleans up work/.
func (s *Store) prepare() error {
	for _, d := range []string{"blobs/sha256", "trees", "locks", "work"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o755); err != nil {
			return err
		}
	}
	if _, err := s.sweep(); err != nil {
		return err
	}
	layout := filepath.Join(s.dir, "oci-layout")
	if _, err := os.Stat(layout); errors.Is(err, os.ErrNotExist) {
		return s.writeFile("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	}
	return nil
}

// Close waits for running unpacks and releases the leases: from then on GC may remove the paths that Unpack returned.
func (s *Store) Close() error {
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for digest, l := range s.leases {
		l.lock.unlock()
		delete(s.leases, digest)
	}
	return nil
}

// Dir returns the directory that contains all trees, including those unpacked later, for a Spawner that must see them.
func (s *Store) Dir() string { return filepath.Join(s.dir, "trees") }

// treeDir is the directory of an image's tree and its sums, whether they exist or not.
func (s *Store) treeDir(digest string) string {
	return filepath.Join(s.dir, "trees", treeName(hexOf(digest)))
}

// treeName is the name of a tree: the image's digest, and the version of its furnishing. A tree made by an older version of this program is
// not used.
func treeName(hex string) string { return hex + "-" + furnishing }

// writeFile writes a file in the store's directory atomically, even if the machine crashes.
func (s *Store) writeFile(name string, data []byte) error {
	w, err := s.newWork()
	if err != nil {
		return err
	}
	defer w.remove()
	f, err := os.Create(filepath.Join(w.dir, "file"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(s.dir, name)); err != nil {
		return err
	}
	return syncDir(s.dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
