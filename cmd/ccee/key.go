// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/api/auth"

	"github.com/urfave/cli/v3"
)

func keyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "generate API keys for AUTH_FILE",
		Description: `AUTH_FILE holds the keys of tenants, hashed. The api reads it again within two seconds of a change, so keys can be added, limited
and revoked while it runs:

   {"keys":    [{"sha256":"...","tenantId":"acme","scopes":["submit","read"],"expiresAt":"2027-01-01T00:00:00Z",
                 "revoked":false,"maxConcurrentJobs":5,"maxDailyJobs":1000,"comment":"ci"}],
    "tenants": {"acme":{"maxConcurrentJobs":20}}}

scopes are submit and read (the default is both) and admin. tenants has the limits of callers with a token. Make an entry:

   ccee key new --tenant acme --days 90         # the key on stderr, once; the entry on stdout
   ccee key hash --tenant acme < key.txt        # the entry of an existing key`,
		Commands: []*cli.Command{
			{Name: "new", Usage: "generate a random key", Flags: entryFlags(), Action: noArgs(keyNew)},
			{Name: "hash", Usage: "print the entry of the key on standard input", Flags: entryFlags(), Action: noArgs(keyHash)},
		},
	}
}

func entryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tenant", Required: true, Usage: "`NAME` of the tenant"},
		&cli.StringFlag{Name: "scopes", Value: "submit,read", Usage: "`LIST` of submit, read, admin"},
		&rangedFlag{Name: "days", Usage: fmt.Sprintf("`DAYS` until the key expires, 1 to %d (default: never)", maxKeyDays), HideDefault: true, Config: span{1, maxKeyDays}},
		&cli.StringFlag{Name: "comment", Usage: "`TEXT` for readers of the file"},
	}
}

const (
	maxKeyDays  = 36_500
	minKeyBytes = 16 // of a key that somebody made up; 128 bits, if its bytes are random
)

// keyEntry is an entry of AUTH_FILE.
type keyEntry struct {
	SHA256    string     `json:"sha256"`
	TenantID  string     `json:"tenantId"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	Comment   string     `json:"comment,omitempty"`
}

func keyNew(_ context.Context, cmd *cli.Command) error {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	key := "ccee_" + base64.RawURLEncoding.EncodeToString(b)
	if err := printEntry(cmd, key); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.Root().ErrWriter, "the key, shown only once: %s\n", key)
	return err
}

func keyHash(_ context.Context, cmd *cli.Command) error {
	b, err := io.ReadAll(io.LimitReader(cmd.Root().Reader, 4096))
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if key == "" {
		return usageError{errors.New("ccee key hash reads the key from standard input, which is empty")}
	}
	if len(key) < minKeyBytes {
		return usageError{fmt.Errorf("the key has %d bytes, but needs at least %d, or it can be guessed: ccee key new generates one", len(key), minKeyBytes)}
	}
	return printEntry(cmd, key)
}

func printEntry(cmd *cli.Command, key string) error {
	sum := sha256.Sum256([]byte(key))
	e := keyEntry{SHA256: hex.EncodeToString(sum[:]), TenantID: cmd.String("tenant"), Scopes: splitList(cmd.String("scopes")), Comment: cmd.String("comment")}
	if days := cmd.Value("days").(int64); days > 0 {
		at := time.Now().UTC().Add(time.Duration(days) * 24 * time.Hour).Truncate(time.Second)
		e.ExpiresAt = &at
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := auth.NewDirectory(auth.Sources{File: fmt.Appendf(nil, `{"keys":[%s]}`, line)}); err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintf(cmd.Root().Writer, "%s\n", line)
	return err
}
