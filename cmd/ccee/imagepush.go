// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ccee-dev/ccee/registry"
	"github.com/ccee-dev/ccee/rootfs"

	"github.com/urfave/cli/v3"
)

func imagePushCommand() *cli.Command {
	return &cli.Command{
		Name:      "push",
		Usage:     "send an image to a registry: one that make dist-images made, or a language",
		ArgsUsage: "IMAGE REGISTRY/REPOSITORY:TAG",
		Description: `Credentials are those of docker login (~/.docker/config.json, its helpers included). Prints the reference by digest.

   ccee image push runner registry.example.com/ccee/runner:1.0.0
   ccee image push --layout /var/lib/ccee/images python registry.example.com/ccee/python:1.0.0`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "layout", Value: "dist/images", Usage: "`DIR` with an OCI image layout, such as an image store"},
			insecureFlag(),
		},
		Action: imagePush,
	}
}

func imagePullCommand() *cli.Command {
	return &cli.Command{
		Name:      "pull",
		Usage:     "fetch languages from a registry, or from an image layout on a web server, into the store",
		ArgsUsage: "IMAGE@sha256:DIGEST...",
		Description: `Each byte is checked against the digest, so the server need not be trusted. An image that the store has
is not fetched again.

   ccee image pull registry.example.com/ccee/python@sha256:1f2e...
   ccee image pull https://my-bucket.s3.eu-central-1.amazonaws.com/images@sha256:1f2e...`,
		Flags:  []cli.Flag{imagesFlag(), insecureFlag()},
		Action: withStore(imagePull),
	}
}

func insecureFlag() cli.Flag {
	return &cli.BoolFlag{Name: "insecure", Usage: "plain HTTP, for a server on this machine"}
}

func registryOptions(cmd *cli.Command) registry.Options {
	return registry.Options{
		Insecure: cmd.Bool("insecure"),
		Progress: func(line string) { fmt.Fprintln(cmd.Root().ErrWriter, line) },
	}
}

func imagePush(ctx context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() != 2 {
		return usageError{errors.New("name the image and where to: ccee image push IMAGE REGISTRY/REPOSITORY:TAG")}
	}
	ref, err := registry.Push(ctx, cmd.String("layout"), cmd.Args().Get(0), cmd.Args().Get(1), registryOptions(cmd))
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.Root().Writer, ref)
	return nil
}

func imagePull(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	if !cmd.Args().Present() {
		return usageError{errors.New("name an image: REGISTRY/REPOSITORY@sha256:DIGEST, or the URL of an image layout with @sha256:DIGEST")}
	}
	for _, image := range cmd.Args().Slice() {
		if err := pullInto(ctx, store, image, registryOptions(cmd)); err != nil {
			return err
		}
	}
	return nil
}

// pullInto fetches an image, unless the store has it.
func pullInto(ctx context.Context, store *rootfs.Store, image string, o registry.Options) error {
	if digest, err := registry.Digest(image); err != nil {
		return err
	} else if img, err := store.Get(ctx, digest); err == nil && img.Damage == "" {
		o.Progress(fmt.Sprintf("%s: here already, %s", img.Name, img.Digest))
		return nil
	}
	dir, err := os.MkdirTemp("", "ccee-pull-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.Progress("pulling " + image)
	if err := registry.Pull(ctx, image, dir, o); err != nil {
		return err
	}
	img, err := store.Import(ctx, dir, "", rootfs.ImportOptions{})
	if err != nil {
		return err
	}
	o.Progress(fmt.Sprintf("%s: pulled, %.1f MiB, %s", img.Name, float64(img.Size)/(1<<20), img.Digest))
	return nil
}
