# SPDX-License-Identifier: Apache-2.0
"""Writes a plot of the sine as sine.svg, with the standard library alone."""
import math

points = " ".join(f"{x},{100 - 80 * math.sin(x / 30):.1f}" for x in range(400))
with open("sine.svg", "w") as f:
    f.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200">')
    f.write(f'<polyline points="{points}" fill="none" stroke="black"/></svg>\n')
print("wrote sine.svg")
