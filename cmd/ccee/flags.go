// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v3"
)

// Defaults that several commands share.
const (
	defaultSocket = "/run/ccee/daemon.sock"
	defaultImages = "/var/lib/ccee/images"
	defaultData   = "/var/lib/ccee"
)

func socketFlag() cli.Flag {
	return stringFlag("socket", "CCEE_SOCKET", defaultSocket, "`PATH` of the daemon's unix socket")
}

func imagesFlag() cli.Flag {
	return stringFlag("images", "CCEE_IMAGES", defaultImages, "`DIR` of the image store")
}

func logLevelFlag() cli.Flag {
	f := stringFlag("log-level", "LOG_LEVEL", "info", "log `LEVEL`: debug, info, warn or error").(*cli.StringFlag)
	f.Validator = func(s string) error { _, err := logLevel(s); return err }
	return f
}

// stringFlag returns a flag for text with its environment variable.
func stringFlag(name, env, def, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: def, Usage: usage, Sources: cli.EnvVars(env)}
}

// intFlag returns a flag for a whole number from lo to hi, both included, with its environment variable. The error for a bad value
// names the flag or variable, the value and the range.
func intFlag(name, env string, def, lo, hi int64, usage string) cli.Flag {
	f := &rangedFlag{Name: name, Value: def, Usage: fmt.Sprintf("%s (%d to %d)", usage, lo, hi), Config: span{lo, hi}}
	if env != "" {
		f.Sources = cli.EnvVars(env)
	}
	return f
}

// rangedFlag is a cli flag whose values must lie within its span.
type rangedFlag = cli.FlagBase[int64, span, rangedValue]

// span is a range, both ends included.
type span struct{ lo, hi int64 }

// rangedValue is one value of a rangedFlag.
type rangedValue struct {
	at *int64
	span
}

func (rangedValue) Create(def int64, at *int64, s span) cli.Value {
	*at = def
	return &rangedValue{at, s}
}

func (rangedValue) ToString(n int64) string { return strconv.FormatInt(n, 10) }

func (v *rangedValue) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < v.lo || n > v.hi {
		return fmt.Errorf("must be a whole number from %d to %d", v.lo, v.hi)
	}
	*v.at = n
	return nil
}

func (v *rangedValue) Get() any { return *v.at }

func (v *rangedValue) String() string {
	if v.at == nil {
		return ""
	}
	return strconv.FormatInt(*v.at, 10)
}

// noArgs returns an action that refuses positional arguments: a forgotten dash must not be ignored.
func noArgs(action cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		if cmd.Args().Present() {
			return usageError{fmt.Errorf("%s takes no argument, but there is %q", cmd.FullName(), cmd.Args().First())}
		}
		return action(ctx, cmd)
	}
}
