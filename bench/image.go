// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
)

// saveImage writes an image of one executable file, in the format of docker save.
func saveImage(archive, program string) error {
	b, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	layer, err := tarOf(member{"noop", b, 0o755})
	if err != nil {
		return err
	}
	config := fmt.Appendf(nil, `{"architecture":%q,"os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, runtime.GOARCH, sha256.Sum256(layer))
	all, err := tarOf(
		member{"config.json", config, 0o644},
		member{"layer.tar", layer, 0o644},
		member{"manifest.json", []byte(`[{"Config":"config.json","RepoTags":["noop:latest"],"Layers":["layer.tar"]}]`), 0o644})
	if err != nil {
		return err
	}
	return os.WriteFile(archive, all, 0o644)
}

// member is one file of an archive.
type member struct {
	name string
	data []byte
	mode int64
}

func tarOf(members ...member) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: m.mode, Size: int64(len(m.data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(m.data); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}
