// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// wholeNumbers are integers of any size. Division is floored in Python, truncated in JavaScript and Java.
func wholeNumbers(g *generator) {
	for range 60 {
		a, b := g.big(1+g.IntN(300)), g.big(1+g.IntN(150))
		if b.Sign() == 0 {
			continue
		}
		quo, rem := new(big.Int).QuoRem(a, b, new(big.Int))
		floor, mod := new(big.Int).Set(quo), new(big.Int).Set(rem)
		if rem.Sign() != 0 && rem.Sign() != b.Sign() {
			floor.Sub(floor, big.NewInt(1))
			mod.Add(mod, b)
		}
		g.addBig(new(big.Int).Add(a, b).String(), a, b, "+", "add")
		g.addBig(new(big.Int).Sub(a, b).String(), a, b, "-", "subtract")
		g.addBig(new(big.Int).Mul(a, b).String(), a, b, "*", "multiply")
		g.add("python", floor.String(), "(%v) // (%v)", a, b)
		g.add("python", mod.String(), "(%v) %% (%v)", a, b)
		g.add("javascript", quo.String(), "(%vn) / (%vn)", a, b)
		g.add("javascript", rem.String(), "(%vn) %% (%vn)", a, b)
		g.add("java", quo.String(), `new BigInteger("%v").divide(new BigInteger("%v"))`, a, b)
		g.add("java", rem.String(), `new BigInteger("%v").remainder(new BigInteger("%v"))`, a, b)

		radix := 2 + g.IntN(35)
		g.add("javascript", a.Text(radix), "(%vn).toString(%d)", a, radix)
		g.add("java", a.Text(radix), `new BigInteger("%v").toString(%d)`, a, radix)
		g.add("python", a.String(), "int('%s', %d)", a.Text(radix), radix)
		gcd := new(big.Int).GCD(nil, nil, new(big.Int).Abs(a), new(big.Int).Abs(b))
		g.add("python", gcd.String(), "math.gcd(%v, %v)", a, b)
		g.add("java", gcd.String(), `new BigInteger("%v").gcd(new BigInteger("%v"))`, a, b)
		m := new(big.Int).Add(new(big.Int).Abs(b), big.NewInt(2))
		power := new(big.Int).Exp(new(big.Int).Abs(a), big.NewInt(65537), m)
		g.add("python", power.String(), "pow(%v, 65537, %v)", new(big.Int).Abs(a), m)
		g.add("java", power.String(), `new BigInteger("%v").modPow(BigInteger.valueOf(65537), new BigInteger("%v"))`, new(big.Int).Abs(a), m)
		root := new(big.Int).Sqrt(new(big.Int).Abs(a))
		g.add("python", root.String(), "math.isqrt(%v)", new(big.Int).Abs(a))
		g.add("java", root.String(), `new BigInteger("%v").sqrt()`, new(big.Int).Abs(a))
	}
}

func (g *generator) addBig(want string, a, b *big.Int, op, method string) {
	g.add("python", want, "(%v) %s (%v)", a, op, b)
	g.add("javascript", want, "(%vn) %s (%vn)", a, op, b)
	g.add("java", want, `new BigInteger("%v").%s(new BigInteger("%v"))`, a, method, b)
}

// big is a number of that many bits at most, of either sign.
func (g *generator) big(size int) *big.Int {
	n := new(big.Int)
	for n.BitLen() < size {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(g.Uint64()))
	}
	n.Rsh(n, uint(n.BitLen()-size))
	if g.IntN(2) == 0 {
		n.Neg(n)
	}
	return n
}

// machineWords are integers of 32 and 64 bits, which wrap around.
func machineWords(g *generator) {
	for range 60 {
		a, b, shift := int32(g.Uint32()), int32(g.Uint32()), g.IntN(32)
		c, d := int64(g.Uint64()), int64(g.Uint64())
		g.add("java", fmt.Sprint(a*b), "(%d) * (%d)", a, b)
		g.add("java", fmt.Sprint(a>>shift), "(%d) >> %d", a, shift)
		g.add("java", fmt.Sprint(int32(uint32(a)>>shift)), "(%d) >>> %d", a, shift)
		g.add("java", fmt.Sprint(c*d), "(%dL) * (%dL)", c, d)
		g.add("java", fmt.Sprint(bits.OnesCount64(uint64(c))), "Long.bitCount(%dL)", c)
		g.add("java", fmt.Sprint(bits.LeadingZeros32(uint32(a))), "Integer.numberOfLeadingZeros(%d)", a)
		g.add("java", strconv.FormatUint(uint64(c), 10), "Long.toUnsignedString(%dL)", c)
		g.add("java", fmt.Sprint(int32(bits.RotateLeft32(uint32(a), shift))), "Integer.rotateLeft(%d, %d)", a, shift)
		g.add("javascript", fmt.Sprint(a*b), "Math.imul(%d, %d)", a, b)
		g.add("javascript", fmt.Sprint(a>>shift), "(%d) >> %d", a, shift)
		g.add("javascript", fmt.Sprint(uint32(a)>>shift), "(%d) >>> %d", a, shift)
		g.add("javascript", fmt.Sprint(a^b), "(%d) ^ (%d)", a, b)
		g.add("javascript", fmt.Sprint(bits.LeadingZeros32(uint32(a))), "Math.clz32(%d)", a)
		g.add("javascript", fmt.Sprint(c*d), "BigInt.asIntN(64, (%dn) * (%dn))", c, d)
		g.add("python", fmt.Sprint(bits.OnesCount64(uint64(c))), "(%d).bit_count()", uint64(c))
		g.add("python", fmt.Sprint(c^d), "(%d) ^ (%d)", c, d)
		g.add("python", fmt.Sprint(int64(a)>>shift), "(%d) >> %d", a, shift)
		g.add("python", fmt.Sprint(a), "struct.unpack('<i', struct.pack('<I', %d))[0]", uint32(a))
	}
}

// floats are doubles of any size: what arithmetic gives is IEEE 754's, and they are written with the fewest digits that give them back.
func floats(g *generator) {
	for range 150 {
		a, b := g.float(), g.float()
		for _, op := range []struct {
			sign  string
			value float64
		}{{"+", a + b}, {"-", a - b}, {"*", a * b}, {"/", a / b}} {
			if v := op.value; v != 0 && !math.IsInf(v, 0) && !math.IsNaN(v) {
				x, y := literal(a), literal(b)
				g.add("python", pythonFloat(v), "(%s) %s (%s)", x, op.sign, y)
				g.add("javascript", jsFloat(v), "(%s) %s (%s)", x, op.sign, y)
				if want, ok := javaFloat(v); ok {
					g.add("java", want, "(%sd) %s (%sd)", x, op.sign, y)
				}
			}
		}
		root := math.Sqrt(math.Abs(a))
		text := literal(math.Abs(a))
		g.add("python", pythonFloat(root), "math.sqrt(%s)", text)
		g.add("javascript", jsFloat(root), "Math.sqrt(%s)", text)
		if want, ok := javaFloat(root); ok {
			g.add("java", want, "Math.sqrt(%sd)", text)
		}
		g.add("python", fmt.Sprintf("%016x", math.Float64bits(a)), "struct.pack('>d', %s).hex()", literal(a))
		g.add("java", strconv.FormatUint(math.Float64bits(a), 16), "Long.toHexString(Double.doubleToLongBits(%sd))", literal(a))
	}
}

// literal is a number that no language takes for a whole one.
func literal(f float64) string { return strconv.FormatFloat(f, 'e', 16, 64) }

// float is a finite number: any bits, or a decimal fraction as people write it.
func (g *generator) float() float64 {
	if g.IntN(2) == 0 {
		return float64(g.Int64N(2_000_000)-1_000_000) / math.Pow10(g.IntN(6))
	}
	for {
		if f := math.Float64frombits(g.Uint64()); !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
}

// shortest returns sign, digits and the position of the point of the shortest form: 0.DIGITS times ten to the power of point.
func shortest(f float64) (sign, digits string, point int) {
	s := strconv.FormatFloat(math.Abs(f), 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	n, _ := strconv.Atoi(exponent)
	if math.Signbit(f) {
		sign = "-"
	}
	return sign, strings.TrimRight(strings.Replace(mantissa, ".", "", 1), "0"), n + 1
}

// plain writes digits without an exponent.
func plain(digits string, point int) string {
	switch {
	case point <= 0:
		return "0." + strings.Repeat("0", -point) + digits
	case point >= len(digits):
		return digits + strings.Repeat("0", point-len(digits))
	}
	return digits[:point] + "." + digits[point:]
}

// scientific writes digits with the point after the first.
func scientific(digits string) string {
	if len(digits) == 1 {
		return digits
	}
	return digits[:1] + "." + digits[1:]
}

// pythonFloat is repr(): an exponent below 1e-4 and from 1e16.
func pythonFloat(f float64) string {
	sign, digits, point := shortest(f)
	if point > 16 || point < -3 {
		return fmt.Sprintf("%s%se%+03d", sign, scientific(digits), point-1)
	}
	if s := plain(digits, point); strings.Contains(s, ".") {
		return sign + s
	}
	return sign + plain(digits, point) + ".0"
}

// jsFloat is Number::toString of ECMAScript: an exponent below 1e-6 and from 1e21.
func jsFloat(f float64) string {
	sign, digits, point := shortest(f)
	if point > 21 || point < -5 {
		return fmt.Sprintf("%s%se%+d", sign, scientific(digits), point-1)
	}
	return sign + plain(digits, point)
}

// javaFloat is Double.toString: an exponent below 1e-3 and from 1e7, and at least one digit after the point. Of a number for which one
// digit is enough the javadoc takes the nearest of two digits, which Go has no word for: not ok.
func javaFloat(f float64) (string, bool) {
	sign, digits, point := shortest(f)
	if len(digits) == 1 && (point > 7 || point < -2) {
		return "", false
	}
	if point > 7 || point < -2 {
		return fmt.Sprintf("%s%sE%d", sign, scientific(digits), point-1), true
	}
	if s := plain(digits, point); strings.Contains(s, ".") {
		return sign + s, true
	}
	return sign + plain(digits, point) + ".0", true
}
