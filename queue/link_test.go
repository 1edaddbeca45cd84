// SPDX-License-Identifier: Apache-2.0

package queue

import "testing"

func TestLink(t *testing.T) {
	lib := definitions("-- a remark\nlocal A, B = 1, 2\n\nlocal function one(x)\n  return A\nend\n\nlocal function two() return one(3) end\n\nlocal unused = 4\n")
	for script, want := range map[string]string{
		"return 1":             "return 1",
		"return B":             "local A, B = 1, 2\nreturn B",
		"return two()":         "local A, B = 1, 2\nlocal function one(x)\n  return A\nend\nlocal function two() return one(3) end\nreturn two()",
		"-- two()\nreturn 1\n": "-- two()\nreturn 1\n",
	} {
		if got := link(lib, script); got != want {
			t.Errorf("%q becomes\n%s\nwant\n%s", script, got, want)
		}
	}
}
