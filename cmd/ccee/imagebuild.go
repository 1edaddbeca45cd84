// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/rootfs"

	"github.com/urfave/cli/v3"
)

func imageBuildCommand() *cli.Command {
	return &cli.Command{
		Name:      "build",
		Usage:     "build the images whose recipes have changed",
		ArgsUsage: "[NAME...]",
		Description: `A recipe is a directory below --recipes: recipe.json, language.json, hello.*; images/README.md explains how to write one.
Needs root, mmdebstrap and, for JavaScript, npm; downloads from a Debian mirror and the npm registry.`,
		Flags: []cli.Flag{
			imagesFlag(),
			&cli.StringFlag{Name: "recipes", Value: "images", Usage: "`DIR` with a directory for each language"},
			&cli.BoolFlag{Name: "force", Usage: "build current images too: for newer packages of the same recipe"},
			stringFlag("mirror", "CCEE_DEBIAN_MIRROR", "http://deb.debian.org/debian", "`URL` of a Debian mirror"),
			stringFlag("security-mirror", "CCEE_DEBIAN_SECURITY_MIRROR", "http://deb.debian.org/debian-security",
				"`URL` of Debian's security updates, or none"),
		},
		Action: withStore(imageBuild),
	}
}

func imageBuild(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	dirs, err := recipeDirs(cmd.String("recipes"), cmd.Args().Slice())
	if err != nil {
		return err
	}
	epoch, err := sourceDateEpoch()
	if err != nil {
		return err
	}
	o := rootfs.BuildOptions{
		Mirror: cmd.String("mirror"), SecurityMirror: cmd.String("security-mirror"), Epoch: epoch,
		Force: cmd.Bool("force"), Progress: cmd.Root().ErrWriter,
	}
	for _, dir := range dirs {
		if err := checkRecipeLanguage(dir); err != nil {
			return err
		}
		start := time.Now()
		img, built, err := store.Build(ctx, dir, o)
		switch {
		case err != nil:
			return err
		case built:
			fmt.Fprintf(cmd.Root().Writer, "%s: built in %.1f s, %.1f MiB, %s\n", img.Name, time.Since(start).Seconds(), float64(img.Size)/(1<<20), img.Digest)
		default:
			fmt.Fprintf(cmd.Root().Writer, "%s: current\n", img.Name)
		}
	}
	return nil
}

// checkRecipeLanguage checks a language profile before an image is built for it.
func checkRecipeLanguage(dir string) error {
	profile, err := rootfs.RecipeLanguage(dir)
	if err == nil {
		_, err = decodeLanguage(filepath.Join(dir, "language.json"), bytes.NewReader(profile))
	}
	return err
}

// recipeDirs returns the named directories below parent, or all that hold a recipe.
func recipeDirs(parent string, names []string) ([]string, error) {
	recipes, err := filepath.Glob(filepath.Join(parent, "*", "recipe.json"))
	if err != nil {
		return nil, err
	}
	if len(recipes) == 0 {
		return nil, fmt.Errorf("no recipe in %s: choose the directory with --recipes", filepath.Join(parent, "*", "recipe.json"))
	}
	known := make([]string, len(recipes))
	for i, r := range recipes {
		known[i] = filepath.Base(filepath.Dir(r))
	}
	if len(names) == 0 {
		names = known
	}
	dirs := make([]string, len(names))
	for i, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no recipe %q in %s: there are %s", name, parent, strings.Join(known, ", "))
		}
		dirs[i] = filepath.Join(parent, name)
	}
	return dirs, nil
}

// sourceDateEpoch reads SOURCE_DATE_EPOCH; see https://reproducible-builds.org/specs/source-date-epoch/.
func sourceDateEpoch() (time.Time, error) {
	s := os.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, it must be seconds since 1970", s)
	}
	return time.Unix(n, 0).UTC(), nil
}
