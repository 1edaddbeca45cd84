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

// Open opens the store in dir, making it if it isn't there, and sweeps what killed processes left. Close it.
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

// prepare makes the layout and sweeps work/.
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

// Close waits for unpacking that is under way and gives back the leases: the paths that Unpack returned may now be removed
// by GC.
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

// Dir returns the directory below which all trees lie, for a Spawner that must see them, also those unpacked later.
func (s *Store) Dir() string { return filepath.Join(s.dir, "trees") }

// treeDir is where the tree of an image and its sums are, or will be.
func (s *Store) treeDir(digest string) string {
	return filepath.Join(s.dir, "trees", treeName(hexOf(digest)))
}

// treeName is the name of a tree: the image's digest, and how this program furnishes it. A tree that an older one made is not used.
func treeName(hex string) string { return hex + "-" + furnishing }

// writeFile puts data under a name in the store's directory: whole or not at all, also after a crash of the machine.
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
