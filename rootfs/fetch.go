// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// suite is the release of Debian that images are made from.
const suite = "trixie"

// archiveKeyring holds the keys that sign Debian's archive (package debian-archive-keyring).
const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// packagesFile is the file to which the mmdebstrap hook writes the list of archives.
const packagesFile = ".ccee-packages"

// fetchDebian downloads the packages, which apt checks against the signed release file, and unpacks them into the tree. With
// the variant "extract" no maintainer script runs, nothing is configured, and no service manager is looked for.
func (b *build) fetchDebian(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "mmdebstrap", "--mode=root", "--variant=extract",
		"--include="+strings.Join(b.Packages, ","),
		`--aptopt=APT::Install-Recommends "false"`,
		`--aptopt=APT::Sandbox::User "root"`, // its user _apt can't get at the work directory
		`--extract-hook=cd "$1/var/cache/apt/archives" && ls *.deb > "$1/`+packagesFile+`"`,
		suite, b.tree, "-")
	cmd.Stdin = strings.NewReader(b.sources())
	if _, err := b.command(cmd, true); err != nil {
		return err
	}
	list := filepath.Join(b.tree, packagesFile)
	debs, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	b.packages = strings.ReplaceAll(strings.Join(strings.Fields(string(debs)), " "), ".deb", "")
	if err := os.Remove(list); err != nil {
		return err
	}
	if b.Epoch.IsZero() {
		b.Epoch, err = newestFile(filepath.Join(b.tree, "usr"))
	}
	return err
}

// sources are the lines of sources.list(5).
func (b *build) sources() string {
	mirror, security := b.Mirror, b.SecurityMirror
	if mirror == "" {
		mirror = "http://deb.debian.org/debian"
	}
	if security == "" {
		security = "http://deb.debian.org/debian-security"
	}
	lines := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", archiveKeyring, mirror, suite)
	if security != "none" {
		lines += fmt.Sprintf("deb [signed-by=%s] %s %s-security main\n", archiveKeyring, security, suite)
	}
	return lines
}

// fetchNPM downloads the recipe's npm package for this architecture and takes the named files from it.
func (b *build) fetchNPM(ctx context.Context) error {
	p, ok := b.NPM[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("recipe.json names no package for %s", runtime.GOARCH)
	}
	dir := filepath.Join(b.work, "npm")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, p.Package+"@"+p.Version)
	cmd.Dir = dir
	if _, err := b.command(cmd, false); err != nil {
		return fmt.Errorf("npm pack %s@%s: %w", p.Package, p.Version, err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("npm pack %s@%s left %d archives", p.Package, p.Version, len(archives))
	}
	if err := checkIntegrity(archives[0], p.Integrity); err != nil {
		return fmt.Errorf("npm package %s@%s: %w", p.Package, p.Version, err)
	}
	return extractFiles(archives[0], p.Files, b.tree)
}

// checkIntegrity checks a file against an npm integrity value, "sha512-<base64>".
func checkIntegrity(file, integrity string) error {
	want, ok := strings.CutPrefix(integrity, "sha512-")
	if !ok {
		return fmt.Errorf("integrity %q is not a sha512", integrity)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("the download has integrity sha512-%s, recipe.json says %s: refused", got, integrity)
	}
	return nil
}

// extractFiles takes regular files from an npm archive, whose entries are below "package/".
func extractFiles(archive string, files map[string]string, tree string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	found := 0
	for tr := tar.NewReader(z); ; {
		hdr, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(path.Clean(hdr.Name), "/")
		to, ok := files[name]
		if !ok || hdr.Typeflag != tar.TypeReg {
			continue
		}
		if err := writeExecutable(filepath.Join(tree, to), tr); err != nil {
			return err
		}
		found++
	}
	if found != len(files) {
		return errors.New("the package lacks a file that recipe.json names")
	}
	return nil
}

func writeExecutable(name string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	return f.Close()
}
