// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"math"
)

// checkFaithful refuses the rules of one call that libseccomp (2.5.4 at least) may compile to something else than they say.
// TestRandomPolicies compares its programs with Decide. It found
//
//	allow a0 < 0x100000001; allow a0 < 0x80000000       0xffffffff is refused
//	kill a0 <= 0x8000000000000000; allow a0 == 1<<64-1  0x80000000ffffffff is allowed
//
// and the like, always where an argument is tested by more than one rule, and by order or inequality, which need two steps
// on 32-bit words. It found none where all such tests are SCMP_CMP_EQ or SCMP_CMP_MASKED_EQ, nor where the rules test nothing
// but one argument with values of 32 bits.
func checkFaithful(rules []rule) error {
	tests := map[uint]int{} // argument -> rules that test it
	plain := true           // the rules test nothing but one argument with values of 32 bits
	for _, r := range rules {
		for _, a := range r.args {
			tests[a.Index]++
			plain = plain && a.Value <= math.MaxUint32
		}
	}
	if plain && len(tests) == 1 {
		return nil
	}
	for _, r := range rules {
		for _, a := range r.args {
			if a.Op != OpEqual && a.Op != OpMaskedEqual && tests[a.Index] > 1 {
				return fmt.Errorf("%s of argument %d, which other rules test too, is more than libseccomp compiles faithfully; "+
					"write SCMP_CMP_MASKED_EQ or SCMP_CMP_EQ", a.Op, a.Index)
			}
		}
	}
	return nil
}
