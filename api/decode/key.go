// SPDX-License-Identifier: Apache-2.0

package decode

import "strings"

// maxKeyBytes bounds an Idempotency-Key.
const maxKeyBytes = 255

// IdempotencyKey reads the lines of the header of that name, as draft-ietf-httpapi-idempotency-key-header has it; "" when there are none.
func IdempotencyKey(lines []string, iss *Issues) string {
	if len(lines) == 0 {
		return ""
	}
	key := strings.TrimSpace(strings.Join(lines, ", "))
	switch {
	case key == "":
		iss.Field("Idempotency-Key", msgMinChars(1))
	case len(key) > maxKeyBytes:
		iss.Field("Idempotency-Key", msgMaxChars(maxKeyBytes))
	}
	return key
}
