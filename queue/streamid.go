// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"math"
	"strconv"
	"strings"
)

// nextID and previousID return the ids before and after one of a stream, "<ms>-<n>". XRANGE's "(" would do, but only since Redis 6.2;
// Debian 11 has 6.0. They return what is no id unchanged, and Redis rejects it.
func nextID(id string) string {
	ms, n, ok := splitID(id)
	switch {
	case !ok:
		return id
	case n == math.MaxUint64:
		return joinID(ms+1, 0)
	}
	return joinID(ms, n+1)
}

func previousID(id string) string {
	ms, n, ok := splitID(id)
	switch {
	case !ok || ms == 0 && n == 0:
		return id
	case n == 0:
		return joinID(ms-1, math.MaxUint64)
	}
	return joinID(ms, n-1)
}

func splitID(id string) (ms, n uint64, ok bool) {
	before, after, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseUint(before, 10, 64)
	if err == nil {
		n, err = strconv.ParseUint(after, 10, 64)
	}
	return ms, n, err == nil
}

func joinID(ms, n uint64) string { return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(n, 10) }
