// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ccee-dev/ccee/registry"
	"github.com/ccee-dev/ccee/rootfs"

	"github.com/urfave/cli/v3"
)

func insecureFlag() cli.Flag {
	return &cli.BoolFlag{Name: "insecure", Usage: "plain HTTP, to the loopback alone"}
}

func imagePushCommand() *cli.Command {
	return &cli.Command{
		Name:      "push",
		Usage:     "upload an image to a registry",
		ArgsUsage: "IMAGE HOST/REPOSITORY:TAG",
		Description: `IMAGE is a directory with an OCI image layout, such as dist/images/api, or an image of the store. What refers
to it in the layout, such as its bill of materials, is uploaded too. Credentials are those of docker login. The reference by
digest is printed.

   ccee image push dist/images/api registry.example.com/ccee/api:1
   ccee image push python registry.example.com/ccee/python:1`,
		Flags: []cli.Flag{imagesFlag(), insecureFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 2 {
				return usageError{errors.New("name an image, and HOST/REPOSITORY:TAG to push it to")}
			}
			dir, image := cmd.Args().Get(0), ""
			if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
				if strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "/") {
					return fmt.Errorf("%s is not an OCI image layout: %w", dir, err)
				}
				dir, image = cmd.String("images"), dir
			}
			o := registry.Options{Insecure: cmd.Bool("insecure"), Progress: cmd.Root().ErrWriter}
			ref, err := registry.Push(ctx, dir, image, cmd.Args().Get(1), o)
			if err == nil {
				fmt.Fprintln(cmd.Root().Writer, ref)
			}
			return err
		},
	}
}

func imagePullCommand() *cli.Command {
	return &cli.Command{
		Name:      "pull",
		Usage:     "fetch language images from a registry or a web server, by their digests",
		ArgsUsage: "SOURCE...",
		Description: `SOURCE is HOST/REPOSITORY@sha256:DIGEST, or https://HOST/PATH@sha256:DIGEST for an image store that a web server or a
bucket has at PATH: its directory blobs is enough. DIGEST is that of the image's manifest, as ccee image list --json has it.

   ccee image pull registry.example.com/ccee/python@sha256:2089...
   ccee image pull https://bucket.s3.eu-central-1.amazonaws.com/images@sha256:2089...`,
		Flags: []cli.Flag{imagesFlag(), insecureFlag()},
		Action: withStore(func(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
			if !cmd.Args().Present() {
				return usageError{errors.New("name the images to pull, each with @sha256: and its digest")}
			}
			return pullImages(ctx, cmd, store, cmd.Args().Slice(), cmd.Bool("insecure"))
		}),
	}
}

// pullImages pulls sources into the store, with progress on stderr.
func pullImages(ctx context.Context, cmd *cli.Command, store *rootfs.Store, sources []string, insecure bool) error {
	p := registry.Puller{Store: store, Options: registry.Options{Insecure: insecure, Progress: cmd.Root().ErrWriter}}
	return p.Pull(ctx, sources)
}
