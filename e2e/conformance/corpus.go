// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debianKeyring holds the keys that sign Debian's archive.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// debianSource returns a directory with files of a source package of Debian, and the package's version. It downloads the package once, by
// an apt-get with a configuration of its own, which holds it to Debian's signature, and keeps the files that match the tar pattern.
func debianSource(ctx context.Context, cache, name, pattern string) (dir, version string, err error) {
	dir = filepath.Join(cache, name)
	if v, err := os.ReadFile(filepath.Join(dir, "VERSION")); err == nil {
		return dir, strings.TrimSpace(string(v)), nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", "", err
	}
	part, err := os.MkdirTemp(cache, "part-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(part)
	if part, err = filepath.Abs(part); err != nil {
		return "", "", err
	}
	if err := aptSource(ctx, part, name); err != nil {
		return "", "", fmt.Errorf("%w: Debian's source package %s can't be fetched: %w", errSkipped, name, err)
	}
	archives, err := filepath.Glob(filepath.Join(part, "*.orig.tar.*"))
	dsc, dscErr := filepath.Glob(filepath.Join(part, "*.dsc"))
	if err != nil || dscErr != nil || len(archives) != 1 || len(dsc) != 1 {
		return "", "", fmt.Errorf("source package %s: %d archives and %d descriptions, want one each", name, len(archives), len(dsc))
	}
	files := filepath.Join(part, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		return "", "", err
	}
	if err := command(ctx, part, "tar", "-x", "-f", archives[0], "-C", files, "--no-same-owner", "--strip-components=1", "--wildcards", pattern); err != nil {
		return "", "", err
	}
	_, version, _ = strings.Cut(strings.TrimSuffix(filepath.Base(dsc[0]), ".dsc"), "_")
	if err := os.WriteFile(filepath.Join(files, "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		return "", "", err
	}
	return dir, version, os.Rename(files, dir)
}

// aptSource downloads a source package of the release that the images are made from into dir, whatever this machine's own release is.
func aptSource(ctx context.Context, dir, name string) error {
	mirror := os.Getenv("CCEE_DEBIAN_MIRROR")
	if mirror == "" {
		mirror = "http://deb.debian.org/debian"
	}
	config := fmt.Sprintf(`Dir::State "%[1]s/"; Dir::State::status "%[1]s/status"; Dir::Cache "%[1]s/"; Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "-"; Dir::Etc::parts "-"; Dir::Etc::main "-"; APT::Sandbox::User "root"; Acquire::Languages "none";
`, dir)
	for file, text := range map[string]string{
		"apt.conf": config, "status": "", "sources.list": fmt.Sprintf("deb-src [signed-by=%s] %s trixie main\n", debianKeyring, mirror),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, d := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := command(ctx, dir, "apt-get", "-qq", "update"); err != nil {
		return err
	}
	return command(ctx, dir, "apt-get", "-qq", "source", "--download-only", name)
}

// command runs a program in dir, with the apt.conf there. Its error has what the program wrote.
func command(ctx context.Context, dir string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(dir, "apt.conf"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(out[max(0, len(out)-1000):]))
	}
	return nil
}
