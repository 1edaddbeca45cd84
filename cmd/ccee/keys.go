// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/ccee-dev/ccee/api/auth"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// authFlags configure who may use the API.
func authFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("auth-mode", "AUTH_MODE", "api_key", "`MODE`: api_key, jwt, or hybrid (where there is a bearer token, it alone decides)"),
		stringFlag("auth-file", "AUTH_FILE", "", "`FILE` with hashed keys and tenants, read again when it changes: see ccee key --help"),
		stringFlag("jwks-url", "JWT_JWKS_URL", "", "`URL` of the identity provider's key set"),
		stringFlag("jwt-issuer", "JWT_ISSUER", "", "issuer of its tokens (iss)"),
		stringFlag("jwt-audience", "JWT_AUDIENCE", "", "audience that its tokens must have (aud)"),
		stringFlag("jwt-tenant-claim", "JWT_TENANT_CLAIM", "custom:tenant_id", "claim with the tenant"),
		stringFlag("jwt-subject-claim", "JWT_SUBJECT_CLAIM", "sub", "claim with the caller"),
		stringFlag("trusted-proxies", "TRUSTED_PROXIES", "", "networks of proxies whose X-Forwarded-For is trusted, `CIDR,...`"),
	}
}

// authSecrets returns the variables of authFlags' subject that have no flag.
func authSecrets() []string {
	return []string{"TENANT_API_KEYS_JSON", "TENANT_POLICIES_JSON", "ADMIN_API_KEYS_JSON"}
}

// liveKeys reads the keys. Where there are none, --dev has some of its own.
func liveKeys(dev bool, file string) (*auth.Live, error) {
	s := auth.Sources{
		KeysJSON: os.Getenv("TENANT_API_KEYS_JSON"), PoliciesJSON: os.Getenv("TENANT_POLICIES_JSON"), AdminsJSON: os.Getenv("ADMIN_API_KEYS_JSON"),
	}
	if dev && s.KeysJSON == "" && file == "" {
		s.KeysJSON = auth.DevKeysJSON
		if s.AdminsJSON == "" {
			s.AdminsJSON = auth.DevAdminKeysJSON
		}
	}
	live, err := auth.NewLive(s, file)
	if err != nil {
		return nil, err
	}
	// Only at the start: later, a key that is removed from the file must be revoked even if the settings name it as an operator's.
	if keys := live.Directory().Unmapped(); keys != nil {
		return nil, fmt.Errorf("ADMIN_API_KEYS_JSON: the keys with these fingerprints belong to no tenant, so they would be refused: %s; "+
			"add them to TENANT_API_KEYS_JSON or AUTH_FILE too", strings.Join(keys, ", "))
	}
	return live, nil
}

// checkKeys checks the keys before ccee up starts an api.
func checkKeys(dev bool) error {
	file := os.Getenv("AUTH_FILE")
	if file != "" { // the api runs elsewhere
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return fmt.Errorf("AUTH_FILE: %w", err)
		}
		if err := os.Setenv("AUTH_FILE", file); err != nil {
			return err
		}
	}
	live, err := liveKeys(dev, file)
	if err != nil {
		return err
	}
	if mode := os.Getenv("AUTH_MODE"); live.Directory().Empty() && (mode == "" || mode == "api_key") {
		return errNoKeys
	}
	return nil
}

var errNoKeys = errors.New(`TENANT_API_KEYS_JSON is not set and there is no AUTH_FILE, so no API key would be accepted: set it to {"KEY":{"tenantId":"NAME"}}, or use --dev to try things out`)

// newGate returns the authenticator of the flags and the environment. It watches AUTH_FILE until ctx ends.
func newGate(ctx context.Context, cmd *cli.Command, log zerolog.Logger) (*auth.Gate, error) {
	mode, dev := auth.Mode(cmd.String("auth-mode")), cmd.Bool("dev")
	live, err := liveKeys(dev, cmd.String("auth-file"))
	if err != nil {
		return nil, err
	}
	if mode == auth.APIKeyMode && live.Directory().Empty() {
		return nil, errNoKeys
	}
	var verifier *auth.JWT
	if url := cmd.String("jwks-url"); url != "" || mode == auth.JWTMode {
		verifier, err = auth.NewJWT(auth.JWTOptions{
			JWKSURL: url, Issuer: cmd.String("jwt-issuer"), Audience: cmd.String("jwt-audience"),
			TenantClaim: cmd.String("jwt-tenant-claim"), SubjectClaim: cmd.String("jwt-subject-claim"),
		})
		if err != nil {
			return nil, err
		}
	}
	gate, err := auth.NewGate(mode, live, verifier)
	if err != nil {
		return nil, err
	}
	if dev {
		log.Warn().Msg("DEVELOPMENT MODE: the key dev-local-key is public; use it on the loopback only, never for real tenants")
	}
	go live.Watch(ctx, func(changed bool, err error) {
		if err != nil {
			log.Error().Err(err).Msg("AUTH_FILE can't be used: the previous keys stay valid")
		} else if changed {
			log.Info().Msg("AUTH_FILE was read again")
		}
	})
	return gate, nil
}

// networks reads a list of CIDR prefixes.
func networks(name, list string) ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for _, s := range splitList(list) {
		net, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %q is not a network such as 10.1.0.0/16", name, s)}
		}
		nets = append(nets, net.Masked())
	}
	return nets, nil
}
