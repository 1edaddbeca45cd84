// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxJSON bounds manifests, configs and the index: bytes.
const maxJSON = 4 << 20

// DamagedError means that a blob is missing or does not have the digest that it is named by.
type DamagedError struct {
	Digest string // of the blob
	Image  string // the image that needs it: a name, or its digest
	Cause  string // "has the digest sha256:...", "is missing"
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("blob %s of image %s %s: build or import the image again", e.Digest, e.Image, e.Cause)
}

// blob is an open blob; reading to its end checks its digest.
type blob struct {
	f     *os.File
	image string
	desc  v1.Descriptor
	hash  hash.Hash
	n     int64
}

// openBlob opens the blob that desc names for image.
func (s *Store) openBlob(image string, desc v1.Descriptor) (*blob, error) {
	if desc.Digest.Algorithm != "sha256" || !isHex(desc.Digest.Hex) {
		return nil, fmt.Errorf("image %s: digest %q: only sha256 digests are supported", image, desc.Digest)
	}
	f, err := os.Open(s.blobPath(desc.Digest.Hex))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &DamagedError{desc.Digest.String(), image, "is missing"}
	}
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", image, err)
	}
	return &blob{f: f, image: image, desc: desc, hash: sha256.New()}, nil
}

// Read returns a DamagedError instead of io.EOF if the bytes do not have the expected digest.
func (b *blob) Read(p []byte) (int, error) {
	n, err := b.f.Read(p)
	b.hash.Write(p[:n])
	b.n += int64(n)
	if err == io.EOF {
		if got := "sha256:" + hex.EncodeToString(b.hash.Sum(nil)); got != b.desc.Digest.String() {
			return n, &DamagedError{b.desc.Digest.String(), b.image, fmt.Sprintf("is damaged (its %d bytes have the digest %s)", b.n, got)}
		}
	}
	return n, err
}

// Close closes the file.
func (b *blob) Close() error { return b.f.Close() }

// readBlob returns the whole content of a small blob.
func (s *Store) readBlob(image string, desc v1.Descriptor) ([]byte, error) {
	b, err := s.openBlob(image, desc)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	data, err := io.ReadAll(io.LimitReader(b, maxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxJSON {
		return nil, fmt.Errorf("blob %s of image %s: more than %d bytes of JSON", desc.Digest, image, maxJSON)
	}
	return data, nil
}

// putBlob stores the content of r, which must have that digest. It replaces an existing blob of the name, which may be damaged.
// The caller holds the store's lock.
func (s *Store) putBlob(w *work, digest v1.Hash, r io.Reader) error {
	if digest.Algorithm != "sha256" || !isHex(digest.Hex) {
		return fmt.Errorf("digest %q: only sha256 digests are supported", digest)
	}
	f, err := os.CreateTemp(w.dir, "blob")
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, h), r); err != nil {
		return fmt.Errorf("copy blob %s: %w", digest, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != digest.Hex {
		return fmt.Errorf("blob %s is damaged: it has the digest sha256:%s", digest, got)
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.blobPath(digest.Hex))
}

func (s *Store) blobPath(hexDigest string) string {
	return filepath.Join(s.dir, "blobs", "sha256", hexDigest)
}

// hexOf returns the hex part of "sha256:<hex>".
func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// isHex reports whether s is the hex form of a SHA-256, which makes it safe as a file's name too.
func isHex(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
