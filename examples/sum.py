# SPDX-License-Identifier: Apache-2.0
"""Prints the sum of the numbers on stdin; with --fast in one go."""
import sys

numbers = [int(word) for word in sys.stdin.read().split()]
if "--fast" in sys.argv[1:]:
    print(sum(numbers))
else:
    total = 0
    for number in numbers:
        total += number
    print(total)
