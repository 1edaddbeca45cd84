// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// mountPoints are empty directories in every tree, for the sandbox's mounts.
var mountPoints = []string{"proc", "dev", "sys", "tmp", "workspace"}

// etcFile is a generated file.
type etcFile struct{ name, content string }

// etcFiles replace those of the image: a job must find its own ids and no others, and no address of the host or of the
// machine that built the image.
var etcFiles = []etcFile{
	{"etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:/workspace:/bin/sh\n"},
	{"etc/group", "root:x:0:\nsandbox:x:1000:\n"},
	{"etc/hosts", "127.0.0.1\tlocalhost sandbox\n::1\tlocalhost sandbox\n"},
	{"etc/hostname", "sandbox\n"},
	{"etc/resolv.conf", ""},
	// The look-up of a name that is in no file fails temporarily (EAI_AGAIN), as if the resolver were unreachable: by default it is
	// 127.0.0.1, where nobody answers.
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	{"etc/host.conf", "multi on\n"}, // localhost is both of its addresses
}

// furnishing distinguishes trees that were furnished by different versions of this program.
var furnishing = func() string {
	sum := sha256.Sum256(fmt.Append(nil, mountPoints, etcFiles))
	return hex.EncodeToString(sum[:4])
}()

// furnish makes the mount points and the generated files. An image may have put links in their places: those are removed,
// never followed.
func furnish(root *os.Root) error {
	for _, dir := range mountPoints {
		if err := root.RemoveAll(dir); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
		if err := makeDir(root, dir); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
	}
	if info, err := root.Lstat("etc"); err == nil && !info.IsDir() {
		if err := root.Remove("etc"); err != nil {
			return err
		}
	}
	if err := makeDir(root, "etc"); err != nil {
		return err
	}
	for _, f := range etcFiles {
		if err := writeEtc(root, f); err != nil {
			return err
		}
	}
	return root.Chmod(".", 0o755)
}

func makeDir(root *os.Root, dir string) error {
	if err := root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.Chmod(dir, 0o755)
}

func writeEtc(root *os.Root, e etcFile) error {
	if err := root.RemoveAll(e.name); err != nil {
		return fmt.Errorf("replace %s: %w", e.name, err)
	}
	f, err := root.OpenFile(path.Clean(e.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(e.content); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return f.Close()
}
