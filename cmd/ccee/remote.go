// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/ccee-dev/ccee/client"

	"github.com/urfave/cli/v3"
)

// remoteHelp explains what the API's commands need.
const remoteHelp = `The API is that of this machine unless --url or CCEE_URL says otherwise. CCEE_API_KEY is the key; it has no flag, as
arguments are visible to every user of the machine.`

// remoteFlags returns the flags of the API's commands.
func remoteFlags(json string, more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		stringFlag("url", "CCEE_URL", "http://127.0.0.1:8080", "`URL` of the API"),
		&cli.BoolFlag{Name: "json", Usage: json},
	}, more...)
}

// remote returns a client of the API.
func remote(cmd *cli.Command) (*client.Client, error) {
	key := os.Getenv("CCEE_API_KEY")
	if key == "" {
		return nil, usageError{errors.New("CCEE_API_KEY is not set: set it to your API key (dev-local-key after make run)")}
	}
	u, err := url.Parse(cmd.String("url"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("--url %q is not a URL such as https://ccee.example", cmd.String("url"))}
	}
	return client.New(cmd.String("url"), key), nil
}

// remotely returns the action of an API command without arguments.
func remotely(do func(context.Context, *cli.Command, *client.Client) error) cli.ActionFunc {
	return noArgs(func(ctx context.Context, cmd *cli.Command) error {
		c, err := remote(cmd)
		if err != nil {
			return err
		}
		return advise(do(ctx, cmd, c))
	})
}

// ofJobs returns the action of an API command that does the same for each job that its arguments name.
func ofJobs(do func(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		ids := cmd.Args().Slice()
		if len(ids) == 0 {
			return usageError{fmt.Errorf("%s needs a JOB-ID: see ccee history", cmd.FullName())}
		}
		c, err := remote(cmd)
		if err != nil {
			return err
		}
		var errs []error
		for _, id := range ids {
			errs = append(errs, advise(do(ctx, cmd, c, id)))
		}
		return errors.Join(errs...)
	}
}

// advise adds to an error what the user can do about it. It returns an exit unchanged.
func advise(err error) error {
	var refused *client.Error
	var unreachable *url.Error
	switch {
	case err == nil || errors.As(err, new(exit)) || errors.As(err, new(usageError)):
		return err
	case errors.Is(err, context.Canceled): // by Ctrl-C; the job continues
		return exit{codeInterrupted, nil}
	case errors.As(err, &refused):
		return exit{codeOurs, fmt.Errorf("%w%s", err, advice(refused))}
	case errors.As(err, &unreachable):
		return exit{codeOurs, fmt.Errorf("%w: is the API running? make run starts one here; --url or CCEE_URL names another", err)}
	}
	return exit{codeOurs, err}
}

// advice returns what the user can do about a refusal. The same status has several reasons.
func advice(e *client.Error) string {
	switch e.Code {
	case "not_found":
		return ": you have no such job, or not any more; see ccee history"
	case "job_finished":
		return ": it has ended already; ccee job shows how"
	case "job_unfinished":
		return ": wait until it ends, or cancel it with ccee cancel"
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return ": this API does not know the key in CCEE_API_KEY"
	case http.StatusForbidden:
		return ": the key lacks the scope for this; ask the operator for it"
	case http.StatusNotFound:
		return ": is this the address of a ccee API? set it with --url or CCEE_URL, without a path"
	case http.StatusTooManyRequests:
		if e.RetryAfter > 0 {
			return fmt.Sprintf(": try again in %v; see ccee quota", e.RetryAfter.Round(time.Second))
		}
		return ": see ccee quota"
	case http.StatusServiceUnavailable:
		return ": try again in a moment"
	}
	return ""
}

// printJSON writes an answer of the API as one line.
func printJSON(cmd *cli.Command, raw json.RawMessage) error {
	_, err := fmt.Fprintf(cmd.Root().Writer, "%s\n", raw)
	return err
}

// table prints a table for people.
func table(cmd *cli.Command, rows func(w io.Writer)) error {
	w := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// plain returns untrusted text for a terminal: on one line, without control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// when formats a time for people, "-" for none.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
