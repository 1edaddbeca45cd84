// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/ccee-dev/ccee/api/analysis"

	"github.com/urfave/cli/v3"
)

// modelFlags configure the language model that analyzes jobs.
func modelFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("ai-provider", "AI_PROVIDER", "none", "`NAME`: none, or openai (then OPENAI_API_KEY must be set)"),
		stringFlag("openai-model", "OPENAI_MODEL", "gpt-4.1-mini", "`NAME` of the model"),
		stringFlag("openai-url", "OPENAI_BASE_URL", "", "`URL` of a server with OpenAI's protocol (default: OpenAI)"),
		intFlag("ai-timeout-ms", "AI_ANALYSIS_TIMEOUT_MS", 10_000, 1_000, 30_000, "milliseconds for one call of the model"),
		intFlag("ai-retries", "AI_ANALYSIS_RETRIES", 2, 0, 5, "retries after a temporary failure"),
		intFlag("ai-backoff-ms", "AI_ANALYSIS_RETRY_BACKOFF_MS", 500, 50, 10_000, "milliseconds before the first retry"),
		intFlag("analysis-source-chars", "ANALYSIS_MAX_SOURCE_CHARS", 8_000, 1, 50_000, "characters of a program that are sent to the model"),
		intFlag("analysis-budget", "ANALYSIS_DAILY_BUDGET", 200, 0, 1_000_000, "calls of the model for one tenant a day"),
		stringFlag("analysis-redact", "ANALYSIS_REDACT", "secrets", "`WHAT` is removed before the model sees a job: none, secrets, or source"),
	}
}

// newModel returns the language model of the flags; nil: there is none.
func newModel(cmd *cli.Command) (*analysis.OpenAI, error) {
	switch p := cmd.String("ai-provider"); p {
	case "none":
		return nil, nil
	case "openai":
	default:
		return nil, usageError{fmt.Errorf("AI_PROVIDER is %q, it must be none or openai", p)}
	}
	return analysis.NewOpenAI(analysis.OpenAIOptions{
		APIKey: os.Getenv("OPENAI_API_KEY"), Model: cmd.String("openai-model"), BaseURL: cmd.String("openai-url"),
		Timeout: milliseconds(cmd, "ai-timeout-ms"), Retries: int(cmd.Int64("ai-retries")), Backoff: milliseconds(cmd, "ai-backoff-ms"),
		MaxSource: int(cmd.Int64("analysis-source-chars")), Redaction: analysis.Redaction(cmd.String("analysis-redact")),
	})
}
