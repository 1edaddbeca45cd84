package main

import (
	"errors"
	"fmt"
	"os"

	"ccee/api/auth"
)

// apiKeys reads TENANT_API_KEYS_JSON. Without it only --dev has a key.
func apiKeys(dev bool) (*auth.Keys, error) {
	text := os.Getenv("TENANT_API_KEYS_JSON")
	if text == "" && !dev {
		return nil, errors.New(`TENANT_API_KEYS_JSON is not set, so no API key would be accepted: set it to {"KEY":{"tenantId":"NAME"}}, or use --dev to try things out`)
	}
	if text == "" {
		text = auth.DevKeysJSON
	}
	keys, err := auth.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("TENANT_API_KEYS_JSON: %w", err)
	}
	return keys, nil
}
