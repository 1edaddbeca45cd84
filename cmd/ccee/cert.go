// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ccee-dev/ccee/cert"

	"github.com/urfave/cli/v3"
)

func certCommand() *cli.Command {
	dir := func(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Value: ".", Usage: usage} }
	required := func(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Required: true, Usage: usage} }
	force := &cli.BoolFlag{Name: "force", Usage: "replace files that are there"}
	return &cli.Command{
		Name:  "cert",
		Usage: "make the certificates of connections between machines",
		Description: `For tests and small fleets. Where there is an authority already, its certificates do as well: a daemon's must have the
extended key usage serverAuth, a worker's clientAuth. Keys are ECDSA P-256 and readable by their owner alone.

   ccee cert ca --dir ca
   ccee cert issue --ca ca --dir daemon --name daemon-1 --role daemon --san dns:daemon.internal,ip:10.0.0.7 --days 7
   ccee cert issue --ca ca --dir worker --name worker-1 --role worker --san dns:worker.internal --days 7
   ccee daemon --listen 10.0.0.7:8443 --allow dns:worker.internal \
      --tls-cert daemon/daemon-1.crt --tls-key daemon/daemon-1.key --tls-ca ca/ca.crt
   ccee run --socket https://10.0.0.7:8443 --tls-cert worker/worker-1.crt --tls-key worker/worker-1.key --tls-ca ca/ca.crt hello.py

Certificates are replaced by issuing new ones with --force: running daemons and workers take them over.`,
		Commands: []*cli.Command{
			{
				Name: "ca", Usage: "make an authority: ca.crt, which all machines need, and ca.key, which none does",
				Action: noArgs(certAuthority),
				Flags: []cli.Flag{
					dir("dir", "`DIR` for ca.crt and ca.key"), intFlag("days", "", 365, 1, 3650, "days that it is valid"), force,
				},
			},
			{
				Name: "issue", Usage: "make a certificate: NAME.crt and NAME.key", Action: noArgs(certIssue),
				Flags: []cli.Flag{
					dir("ca", "`DIR` with the authority's ca.crt and ca.key"), dir("dir", "`DIR` for NAME.crt and NAME.key"),
					required("name", "`NAME` of the files, and the subject's name"),
					required("role", "`ROLE`: daemon, or worker, which also is that of a client such as ccee run"),
					required("san", "names that the other end looks at: `NAME,...`, each dns:HOST, ip:ADDRESS or uri:URI"),
					intFlag("days", "", 1, 1, 397, "days that it is valid"), force,
				},
			},
			{Name: "show", Usage: "print what certificates say", ArgsUsage: "FILE...", Action: certShow},
		},
	}
}

const day = 24 * time.Hour

func certAuthority(_ context.Context, cmd *cli.Command) error {
	a, err := cert.NewAuthority("ccee", time.Now(), time.Duration(cmd.Int64("days"))*day)
	if err != nil {
		return err
	}
	return writePair(cmd, a.Pair(), cert.AuthorityName)
}

func certIssue(_ context.Context, cmd *cli.Command) error {
	names, err := cert.ParseNames(splitList(cmd.String("san")))
	if err != nil {
		return usageError{fmt.Errorf("--san: %w", err)}
	}
	if cmd.String("name") == cert.AuthorityName {
		return usageError{fmt.Errorf("--name %s: these are the names of the authority's files", cert.AuthorityName)}
	}
	a, err := cert.OpenAuthority(cmd.String("ca"))
	if err != nil {
		return fmt.Errorf("open the authority: %w: see ccee cert ca", err)
	}
	p, err := a.Issue(cert.Request{Name: cmd.String("name"), Names: names, Role: cert.Role(cmd.String("role")),
		Now: time.Now(), Valid: time.Duration(cmd.Int64("days")) * day})
	if err != nil {
		return usageError{err}
	}
	return writePair(cmd, p, cmd.String("name"))
}

// writePair writes the files and prints which.
func writePair(cmd *cli.Command, p *cert.Pair, name string) error {
	dir := cmd.String("dir")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := p.Write(dir, name, cmd.Bool("force")); err != nil {
		return fmt.Errorf("%w: --force replaces files that are there", err)
	}
	_, err := fmt.Fprintf(cmd.Root().Writer, "%s/%s.crt and .key, valid until %s\n", dir, name, p.Cert.NotAfter.UTC().Format(time.RFC3339))
	return err
}

func certShow(_ context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() {
		return usageError{errors.New("ccee cert show needs a FILE")}
	}
	for _, path := range cmd.Args().Slice() {
		certs, err := cert.Read(path)
		if err != nil {
			return err
		}
		for _, c := range certs {
			fmt.Fprintf(cmd.Root().Writer, "%s\n%s", path, cert.Describe(c, time.Now()))
		}
	}
	return nil
}
