// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/queue"

	"github.com/urfave/cli/v3"
)

func auditCommand() *cli.Command {
	return &cli.Command{
		Name:  "audit",
		Usage: "list the audit, and verify that nobody changed it",
		Commands: []*cli.Command{auditListCommand(), {
			Name: "verify", Usage: "verify a tenant's audit hash chain", ArgsUsage: "TENANT...",
			Description: `Reads the audit trails in Redis and reports each as ok; BROKEN, when an entry was changed or removed; or NOT CHECKED, when the trail
could not be read or does not exist. The exit code is 1 if one is broken, else 125 if one was not checked, else 0. Keep
the hash that it prints somewhere else: only it shows that a whole trail was replaced.

   ccee audit verify acme
   ccee audit verify --expect 1234:8f0c... acme      # entry 1234 must still have this hash

` + redisHelp,
			Flags: append(queueFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON, one object a line"},
				&cli.BoolFlag{Name: "archive", Usage: "verify the trails in the archive (ARCHIVE_DATABASE_URL) instead"},
				&cli.StringFlag{Name: "expect", Usage: "`NUMBER:HASH` of an entry that an earlier run printed (one tenant only)"}),
			Action: auditVerify,
		}},
	}
}

// The outcomes of a verification.
const (
	trailOK         = "ok"
	trailBroken     = "broken"
	trailNotChecked = "not_checked"
)

// verified is the result for one trail.
type verified struct {
	TenantID string `json:"tenantId"`
	OK       bool   `json:"ok"`
	Outcome  string `json:"outcome"`
	Events   int64  `json:"events"`
	First    int64  `json:"first"`
	Last     int64  `json:"last"`
	Hash     string `json:"hash"`
	Error    string `json:"error,omitempty"`
}

func auditVerify(ctx context.Context, cmd *cli.Command) error {
	tenants := cmd.Args().Slice()
	expect, err := parseExpected(cmd.String("expect"), len(tenants))
	if err != nil {
		return usageError{err}
	}
	trails, done, err := openTrails(cmd)
	if err != nil {
		return err
	}
	defer done()
	count := map[string]int{}
	for _, tenant := range tenants {
		c, err := trails.Verify(ctx, tenant, expect)
		v := verified{TenantID: tenant, OK: err == nil, Outcome: outcomeOf(err), Events: c.Events, First: c.First, Last: c.Last, Hash: c.Hash}
		count[v.Outcome]++
		if err != nil {
			v.Error = err.Error()
			if v.Outcome == trailNotChecked && !cmd.Bool("archive") && !errors.Is(err, queue.ErrNoTrail) {
				v.Error += hintOwnRedis()
			}
		}
		if err := v.print(cmd); err != nil {
			return err
		}
	}
	switch broken, unread := count[trailBroken], count[trailNotChecked]; {
	case broken > 0:
		return fmt.Errorf("%d of %d trails broken, %d not checked", broken, len(tenants), unread)
	case unread > 0:
		return exit{codeOurs, fmt.Errorf("%d of %d trails not checked", unread, len(tenants))}
	}
	return nil
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return trailOK
	case errors.Is(err, queue.ErrBroken):
		return trailBroken
	}
	return trailNotChecked
}

// trails is a store of audits: Redis or the archive.
type trails interface {
	Verify(ctx context.Context, tenant string, expect queue.Anchor) (queue.Chain, error)
}

func openTrails(cmd *cli.Command) (t trails, done func(), err error) {
	if !cmd.Bool("archive") {
		q, err := openQueue(cmd)
		if err != nil {
			return nil, nil, err
		}
		return q, func() { q.Close() }, nil
	}
	a, err := openArchive()
	if err == nil && a == nil {
		err = usageError{fmt.Errorf("%s, the address of the archive, is not set", archiveURL)}
	}
	if err != nil {
		return nil, nil, err
	}
	return a, a.Close, nil
}

func (v *verified) print(cmd *cli.Command) error {
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		return json.NewEncoder(out).Encode(v)
	}
	var err error
	switch v.Outcome {
	case trailBroken:
		_, err = fmt.Fprintf(out, "%s: BROKEN after %d good entries: %s\n", v.TenantID, v.Events, v.Error)
	case trailNotChecked:
		_, err = fmt.Fprintf(out, "%s: NOT CHECKED: %s\n", v.TenantID, v.Error)
	default:
		_, err = fmt.Fprintf(out, "%s: ok, %d entries (%d to %d), head %d:%s\n", v.TenantID, v.Events, v.First, v.Last, v.Last, v.Hash)
	}
	return err
}

// parseExpected reads NUMBER:HASH; "" is none.
func parseExpected(s string, tenants int) (queue.Anchor, error) {
	var a queue.Anchor
	switch {
	case tenants == 0:
		return a, fmt.Errorf("ccee audit verify needs a TENANT: see ccee audit verify --help")
	case s == "":
		return a, nil
	case tenants != 1:
		return a, fmt.Errorf("--expect needs exactly one tenant, there are %d", tenants)
	}
	if n, err := fmt.Sscanf(s, "%d:%s", &a.Number, &a.Hash); n != 2 || err != nil || a.Number < 1 {
		return a, fmt.Errorf("--expect %q is not NUMBER:HASH, which ccee audit verify prints after head", s)
	}
	return a, nil
}
