// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// BuildOptions set where a build gets its parts, and where it reports its progress.
type BuildOptions struct {
	Mirror         string    // of Debian; "" is http://deb.debian.org/debian
	SecurityMirror string    // of Debian's security updates; "" is http://deb.debian.org/debian-security, "none" is none
	Epoch          time.Time // of all files in the image; zero: that of the newest file in the packages
	Force          bool      // build even if the image is current
	Progress       io.Writer // gets lines for people; nil: nobody
}

// build is a running build.
type build struct {
	*recipe
	BuildOptions
	work     string // a work directory
	tree     string // in it: the image's root
	packages string // LabelPackages
}

// Build makes an image from the recipe in recipeDir and stores it under the directory's name. It does nothing if the image
// of that name was made from the same recipe and is undamaged: built is false then.
//
// It needs root, mmdebstrap, unshare(1) and, for recipes with npm packages, npm.
func (s *Store) Build(ctx context.Context, recipeDir string, o BuildOptions) (img Image, built bool, err error) {
	r, err := readRecipe(recipeDir)
	if err != nil {
		return Image{}, false, err
	}
	l, err := s.flock(ctx, "build-"+r.name, unix.LOCK_EX)
	if err != nil {
		return Image{}, false, fmt.Errorf("build image %s: %w", r.name, err)
	}
	defer l.unlock()
	img, err = s.Get(ctx, r.name)
	// Damage is checked here, since its error tells users to build the image again.
	if err == nil && img.Labels[LabelRecipe] == r.digest && !o.Force && s.verifyBlobs(ctx, img) == nil {
		return img, false, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Image{}, false, err
	}
	if err := s.build(ctx, r, o); err != nil {
		return Image{}, false, fmt.Errorf("build image %s: %w", r.name, err)
	}
	img, err = s.Get(ctx, r.name)
	return img, true, err
}

func (s *Store) build(ctx context.Context, r *recipe, o BuildOptions) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, for chroot(2) and the owner of files: use sudo")
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	w, err := s.newWork()
	if err != nil {
		return err
	}
	defer w.remove()
	b := &build{recipe: r, BuildOptions: o, work: w.dir, tree: filepath.Join(w.dir, "tree")}
	steps := []struct {
		what   string
		needed bool
		do     func(context.Context) error
	}{
		{"download and unpack Debian packages", true, b.fetchDebian},
		{"download npm package", len(b.NPM) > 0, b.fetchNPM},
		{"prepare", len(b.Prepare) > 0, b.runPrepare},
		{"remove what isn't needed", true, b.prune},
		{"finish", len(b.Finish) > 0, b.runFinish},
		{"check", true, b.check},
	}
	for _, step := range steps {
		if !step.needed {
			continue
		}
		b.say("%s", step.what)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	version, err := b.version(ctx)
	if err != nil {
		return err
	}
	b.say("version %s; pack", version)
	image, err := b.pack(version)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return s.putImage(ctx, w, r.name, image)
}

// say writes a line of progress.
func (b *build) say(format string, args ...any) {
	fmt.Fprintf(b.Progress, b.name+": "+format+"\n", args...)
}

// run runs commands in the tree, one after another, with the recipe's files in /workspace, and returns the stdout of the last
// one.
func (b *build) run(ctx context.Context, commands [][]string) ([]byte, error) {
	dir := filepath.Join(b.tree, "workspace")
	if err := b.copyFiles(dir); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var out []byte
	for _, argv := range commands {
		var err error
		if out, err = b.inTree(ctx, "/workspace", argv); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// runPrepare, runFinish and check are the recipe's commands as steps.
func (b *build) runPrepare(ctx context.Context) error {
	_, err := b.run(ctx, b.Prepare)
	return err
}

func (b *build) runFinish(ctx context.Context) error {
	_, err := b.run(ctx, b.Finish)
	return err
}

// check compares the stdout of the last check command with hello.out.
func (b *build) check(ctx context.Context) error {
	if len(b.Check) == 0 {
		return errors.New("recipe.json has no check: add the commands that run hello.*")
	}
	want, err := os.ReadFile(b.file("hello.out"))
	if err != nil {
		return err
	}
	got, err := b.run(ctx, b.Check)
	if err == nil && string(got) != string(want) {
		err = fmt.Errorf("%q wrote %q, hello.out has %q", b.Check[len(b.Check)-1], got, want)
	}
	return err
}

// versionWord matches a version in the output of a version command.
var versionWord = regexp.MustCompile(`\d+(\.\d+)+`)

func (b *build) version(ctx context.Context) (string, error) {
	out, err := b.inTree(ctx, "/", b.Version)
	if err != nil {
		return "", err
	}
	v := versionWord.Find(out)
	if v == nil {
		return "", fmt.Errorf("version: %q wrote %q: no version in it", b.Version, out)
	}
	return string(v), nil
}
