// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/rootfs"

	"github.com/urfave/cli/v3"
)

func imageStackCommand() *cli.Command {
	return &cli.Command{
		Name: "stack", Usage: "put the trees of images (all, if none is named) into one root for ccee daemon --tier task",
		ArgsUsage: "DIR [NAME...]", Flags: []cli.Flag{imagesFlag()}, Action: withStore(imageStack),
	}
}

func imageStack(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	dir, names := cmd.Args().First(), cmd.Args().Tail()
	if dir == "" {
		return usageError{errors.New("name the directory to make")}
	}
	if len(names) == 0 {
		images, err := store.List(ctx)
		if err != nil {
			return err
		}
		for _, img := range images {
			names = append(names, img.Name)
		}
	}
	images, err := store.Stack(ctx, dir, names...)
	if err != nil {
		return err
	}
	for _, img := range images {
		if _, err := fmt.Fprintf(cmd.Root().Writer, "%s  %s\n", img.Digest, img.Name); err != nil {
			return err
		}
	}
	return nil
}
