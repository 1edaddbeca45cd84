// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// pack makes a single-layer image of the tree. The same tree always gives the same image: names are sorted, and owners, modes
// and times do not depend on this machine. The layer is compressed with zstd, which unpacks several times as fast as gzip.
func (b *build) pack(version string) (v1.Image, error) {
	label, err := b.label(version)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.work, "layer.tar.zst")
	if err := packTree(b.tree, file, b.Epoch); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayerZStd))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: b.Epoch}, CreatedBy: "ccee image build"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = runtime.GOARCH, "linux", v1.Time{Time: b.Epoch}
	config.Config.Labels = map[string]string{LabelLanguage: label, LabelRecipe: b.digest, LabelPackages: b.packages}
	for k, v := range b.env {
		config.Config.Env = append(config.Config.Env, k+"="+v)
	}
	slices.Sort(config.Config.Env)
	return mutate.ConfigFile(image, config)
}

// packTree writes the tree below dir as a tar archive compressed with zstd.
func packTree(dir, to string, epoch time.Time) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	// One goroutine: with several the output would depend on their scheduling.
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	p := &packer{tar.NewWriter(z), epoch, map[uint64]string{}}
	err = filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil || full == dir {
			return err
		}
		name := full[len(dir)+1:]
		if top, _, below := strings.Cut(name, "/"); slices.Contains(mountPoints, top) {
			if below {
				return skip(d)
			}
		}
		return p.add(full, name)
	})
	if err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// packer writes entries.
type packer struct {
	*tar.Writer
	epoch time.Time
	first map[uint64]string // by inode, of files with several links
}

// add writes one entry.
func (p *packer) add(full, name string) error {
	info, err := os.Lstat(full)
	if err != nil {
		return err
	}
	hdr := &tar.Header{Name: name, Mode: 0o644, ModTime: p.epoch, Format: tar.FormatPAX}
	if info.Mode()&0o111 != 0 {
		hdr.Mode = 0o755
	}
	switch {
	case info.IsDir():
		hdr.Typeflag, hdr.Name = tar.TypeDir, name+"/"
	case info.Mode()&fs.ModeSymlink != 0:
		hdr.Typeflag = tar.TypeSymlink
		if hdr.Linkname, err = os.Readlink(full); err != nil {
			return err
		}
	case info.Mode().IsRegular():
		return p.addFile(full, hdr, info)
	default:
		return nil // device nodes aren't part of an image
	}
	return p.WriteHeader(hdr)
}

func (p *packer) addFile(full string, hdr *tar.Header, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		if first, seen := p.first[st.Ino]; seen {
			hdr.Typeflag, hdr.Linkname = tar.TypeLink, first
			return p.WriteHeader(hdr)
		}
		p.first[st.Ino] = hdr.Name
	}
	hdr.Typeflag, hdr.Size = tar.TypeReg, info.Size()
	if err := p.WriteHeader(hdr); err != nil {
		return err
	}
	f, err := os.Open(full)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(p, f)
	return err
}
