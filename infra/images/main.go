// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// options are the command line.
type options struct {
	binary   string    // the static ccee
	store    string    // image store with the language images
	recipes  string    // directory of the recipes, for the npm packages of the bill of materials; "": without them
	files    string    // directory with passwd and group
	certs    string    // directory with the certificates of Debian's package ca-certificates
	status   string    // dpkg's status file, for the versions of that package and of the libraries that the binary is linked with
	out      string    // directory to write to
	version  string    // of ccee
	revision string    // commit
	epoch    time.Time // of all files and documents
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/ccee", "the static `FILE`")
	flag.StringVar(&o.store, "images", "/var/lib/ccee/images", "image store `DIR` with the language images")
	flag.StringVar(&o.recipes, "recipes", "images", "`DIR` of their recipes")
	flag.StringVar(&o.files, "files", "infra/images", "`DIR` with passwd and group")
	flag.StringVar(&o.certs, "certs", "/usr/share/ca-certificates/mozilla", "`DIR` of CA certificates")
	flag.StringVar(&o.status, "dpkg-status", "/var/lib/dpkg/status", "status `FILE` of dpkg")
	flag.StringVar(&o.out, "out", "dist/images", "`DIR` to write to")
	flag.StringVar(&o.version, "version", "", "version of ccee")
	flag.StringVar(&o.revision, "revision", "", "commit that the binary was built from")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(o options, stdout io.Writer) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("there is no argument %q", flag.Arg(0))
	}
	// Without a time from outside two builds would differ.
	n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return errors.New("SOURCE_DATE_EPOCH must be set: seconds since 1970, such as the time of the commit")
	}
	o.epoch = time.Unix(n, 0).UTC()
	return build(o, stdout)
}

// build writes the layouts and bills of materials, and a line with the digest of each image to stdout.
func build(o options, stdout io.Writer) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	parts, err := gather(o)
	if err != nil {
		return err
	}
	for _, r := range roles {
		image, err := parts.image(r, o)
		if err != nil {
			return fmt.Errorf("image %s: %w", r.name, err)
		}
		digest, err := image.Digest()
		if err != nil {
			return fmt.Errorf("image %s: %w", r.name, err)
		}
		bill, err := parts.bill(r, o, digest)
		if err != nil {
			return fmt.Errorf("bill of materials of image %s: %w", r.name, err)
		}
		if err := writeLayout(filepath.Join(o.out, r.name), r.name, image, bill); err != nil {
			return fmt.Errorf("layout of image %s: %w", r.name, err)
		}
		if err := os.WriteFile(filepath.Join(o.out, r.name+".spdx.json"), bill, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s@%s\n", filepath.Join(o.out, r.name), digest)
	}
	return nil
}
