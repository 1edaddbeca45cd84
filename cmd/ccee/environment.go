// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// checkEnvironment refuses to start a service, and warns any other command's user, when there is a variable CCEE_... that is no setting: a
// misspelt one would be without effect, and nothing would show that.
func checkEnvironment(ctx context.Context, root *cli.Command) (context.Context, error) {
	unknown := unknownSettings(os.Environ(), knownSettings(root))
	switch root.Args().First() {
	case "up", "daemon", "worker", "api":
		if len(unknown) > 0 {
			return ctx, usageError{fmt.Errorf("%s", strings.Join(unknown, "; "))}
		}
		unknown = nearMisses(os.Environ(), knownSettings(root))
	}
	for _, u := range unknown {
		fmt.Fprintf(root.ErrWriter, "ccee: warning: %s\n", u)
	}
	return ctx, nil
}

// unparsable matches package cli's error for a value of a variable, which has no type of its own.
var unparsable = regexp.MustCompile(`^could not parse ("(?:[^"\\]|\\.)*") as .* value from environment variable "([A-Z0-9_]+)" for flag [^:]*: (.*)$`)

// badVariable makes the error for a value that a variable can't have the same as for a flag.
func badVariable(err error) error {
	if err == nil {
		return nil
	}
	if m := unparsable.FindStringSubmatch(err.Error()); m != nil {
		return usageError{fmt.Errorf("invalid value %s for variable %s: %s", m[1], m[2], m[3])}
	}
	return err
}

// secret is a setting without a flag: arguments are visible to every user of the machine.
type secret struct{ name, commands, usage string }

// secretSettings returns those of all commands.
func secretSettings() []secret {
	return []secret{
		{"TENANT_API_KEYS_JSON", "api", `keys of tenants and their quotas: {"KEY":{"tenantId":"acme","maxConcurrentJobs":5,"maxDailyJobs":1000,"maxStoredBytes":268435456}}`},
		{"TENANT_POLICIES_JSON", "api", `quotas of tenants whose callers use tokens: {"acme":{"maxConcurrentJobs":5}}`},
		{"ADMIN_API_KEYS_JSON", "api", `keys of operators, which must be keys of a tenant too: ["KEY"]`},
		{"REDIS_URL", "api, worker, audit, dlq, language", "address of Redis (default: " + defaultRedisURL + "; ccee up starts its own)"},
		{archiveURL, "api, audit", "address of a PostgreSQL that keeps finished jobs, costs and audit (default: none)"},
		{"OPENAI_API_KEY", "api", "key for AI_PROVIDER=openai"},
		{taskToken, "task", "token of the task's job; the worker makes it"},
		{"CCEE_API_KEY", "submit, job, history ...", "key for the API"},
	}
}

// forDevelopment are the variables of the Makefile, .ci and the tests.
var forDevelopment = []string{"CCEE_CACHE", "CCEE_VM", "CCEE_SELFTEST_IMAGES", "CCEE_HOSTILE_JOBS"}

// knownSettings returns the variables of all flags of a command and those below it, and the ones without a flag.
func knownSettings(root *cli.Command) []string {
	known := slices.Clone(forDevelopment)
	for _, s := range secretSettings() {
		known = append(known, s.name)
	}
	var add func(c *cli.Command)
	add = func(c *cli.Command) {
		known = append(known, environmentNames(c)...)
		for _, sub := range c.Commands {
			add(sub)
		}
	}
	add(root)
	return known
}

// serviceLink matches what Kubernetes and Docker put into a container's environment for a service that is called ccee or ccee-something; a
// bare _PORT is only theirs with an address in it.
var serviceLink = regexp.MustCompile(`^CCEE(_[A-Z0-9_]+)?_(SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?=(tcp|udp|sctp)://|PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=)`)

// unknownSettings returns a sentence for each variable CCEE_... that is not known, with the nearest one that is.
func unknownSettings(environ, known []string) []string {
	var all []string
	known = slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !strings.HasPrefix(name, ourPrefix) })
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, ourPrefix) || slices.Contains(known, name) || serviceLink.MatchString(entry) {
			continue
		}
		nearest := slices.MinFunc(known, func(a, b string) int { return unlikeness(name, a) - unlikeness(name, b) })
		all = append(all, fmt.Sprintf("the environment has %s, which is no setting: the nearest one is %s", name, nearest))
	}
	return all
}

// ourPrefix begins the names of variables that are nobody else's.
const ourPrefix = "CCEE_"

// nearMisses returns a sentence for each variable that is almost one of ours. Names without ourPrefix may be another program's, so only
// long ones count, and only as a warning.
func nearMisses(environ, known []string) []string {
	const long, near = 12, 2 // letters
	var all []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if len(name) < long || strings.HasPrefix(name, ourPrefix) || slices.Contains(known, name) {
			continue
		}
		if nearest := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) }); distance(name, nearest) <= near {
			all = append(all, fmt.Sprintf("the environment has %s, which is no setting: the nearest one is %s", name, nearest))
		}
	}
	return all
}

// unlikeness is distance, less where only the end of known is left out: CCEE_DRAIN.
func unlikeness(name, known string) int {
	d := distance(name, known)
	if strings.HasPrefix(known, name) {
		return d / 2
	}
	return d
}

// distance returns how many letters must be added, removed or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
