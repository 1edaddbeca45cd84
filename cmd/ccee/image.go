// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/ccee-dev/ccee/rootfs"

	"github.com/urfave/cli/v3"
)

func imageCommand() *cli.Command {
	return &cli.Command{
		Name:  "image",
		Usage: "build, import, pull and manage language images; push images",
		Description: `Images live in a store, a directory; a daemon uses a change from the next job on.

   ccee image build                                     # every recipe below ./images that isn't current
   ccee image import --name ruby --language ruby.json ruby.tar
   ccee image list
   ccee image verify python
   ccee image rm ruby && ccee image gc`,
		Commands: []*cli.Command{
			imageBuildCommand(),
			imageImportCommand(),
			imageStackCommand(),
			imagePullCommand(),
			imagePushCommand(),
			{
				Name: "list", Aliases: []string{"ls"}, Usage: "list the images",
				Flags:  []cli.Flag{imagesFlag(), &cli.BoolFlag{Name: "json", Usage: "print everything as JSON"}},
				Action: noArgs(withStore(imageList)),
			},
			{
				Name: "verify", Usage: "read images (all, if none is named) and compare them with their digests", ArgsUsage: "[NAME...]",
				Flags: []cli.Flag{imagesFlag()}, Action: withStore(imageVerify),
			},
			{
				Name: "rm", Usage: "remove images; gc frees the space", ArgsUsage: "NAME...",
				Flags: []cli.Flag{imagesFlag()}, Action: withStore(imageRemove),
			},
			{
				Name: "gc", Usage: "remove data that belongs to no image and that no daemon uses",
				Flags: []cli.Flag{imagesFlag()}, Action: noArgs(withStore(imageGC)),
			},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usageError{fmt.Errorf("there is no command %q: see ccee image --help", cmd.Args().First())}
			}
			return cli.ShowSubcommandHelp(cmd)
		},
	}
}

// withStore opens the store of --images for an action.
func withStore(action func(context.Context, *cli.Command, *rootfs.Store) error) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		store, err := rootfs.Open(cmd.String("images"))
		if err != nil {
			if errors.Is(err, os.ErrPermission) {
				err = fmt.Errorf("%w: run it as root, or choose another store with --images", err)
			}
			return err
		}
		return errors.Join(action(ctx, cmd, store), store.Close())
	}
}

func imageList(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	images, err := store.List(ctx)
	if err != nil {
		return err
	}
	if cmd.Bool("json") {
		enc := json.NewEncoder(cmd.Root().Writer)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Images []rootfs.Image `json:"images"`
		}{append([]rootfs.Image{}, images...)})
	}
	t := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tDIGEST\tMiB\tUNPACKED\tCREATED")
	for _, i := range images {
		if i.Damage != "" {
			fmt.Fprintf(t, "%s\t%.19s\tDAMAGED: %s\n", i.Name, i.Digest, i.Damage)
			continue
		}
		fmt.Fprintf(t, "%s\t%.19s\t%.1f\t%t\t%s\n", i.Name, i.Digest, float64(i.Size)/(1<<20), i.Unpacked, i.Created.Format("2006-01-02"))
	}
	return t.Flush()
}

func imageVerify(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	names := cmd.Args().Slice()
	if len(names) == 0 {
		images, err := store.List(ctx)
		if err != nil {
			return err
		}
		for _, i := range images {
			names = append(names, i.Name)
		}
	}
	var faults []error
	for _, name := range names {
		if err := store.Verify(ctx, name); err != nil {
			faults = append(faults, err)
			continue
		}
		fmt.Fprintf(cmd.Root().Writer, "%s: ok\n", name)
	}
	return errors.Join(faults...)
}

func imageRemove(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	if !cmd.Args().Present() {
		return usageError{errors.New("name the images to remove: see ccee image list")}
	}
	for _, name := range cmd.Args().Slice() {
		if err := store.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func imageGC(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	c, err := store.GC(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.Root().Writer, "removed %d blobs, %d trees, %d leftovers: %.1f MiB\n", c.Blobs, c.Trees, c.Leftover, float64(c.Bytes)/(1<<20))
	for _, digest := range c.InUse {
		fmt.Fprintf(cmd.Root().Writer, "kept %s: a process uses it; run gc again when it is gone\n", digest)
	}
	return nil
}
