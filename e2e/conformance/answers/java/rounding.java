// The table in the javadoc of java.math.RoundingMode, the examples in that of BigDecimal.toString, and Math.floorMod's.
import java.math.*;
import java.util.*;
import java.util.stream.*;

public class Main {
  public static void main(String[] args) {
    for (RoundingMode m : RoundingMode.values()) {
      if (m == RoundingMode.UNNECESSARY) continue;
      System.out.println(m + " " + Stream.of("5.5", "2.5", "1.6", "1.1", "1.0", "-1.0", "-1.1", "-1.6", "-2.5", "-5.5")
          .map(s -> new BigDecimal(s).setScale(0, m).toString()).collect(Collectors.joining(" ")));
    }
    //> UP 6 3 2 2 1 -1 -2 -2 -3 -6
    //> DOWN 5 2 1 1 1 -1 -1 -1 -2 -5
    //> CEILING 6 3 2 2 1 -1 -1 -1 -2 -5
    //> FLOOR 5 2 1 1 1 -1 -2 -2 -3 -6
    //> HALF_UP 6 3 2 1 1 -1 -1 -2 -3 -6
    //> HALF_DOWN 5 2 2 1 1 -1 -1 -2 -2 -5
    //> HALF_EVEN 6 2 2 1 1 -1 -1 -2 -2 -6
    int[][] pairs = {{123, 0}, {-123, 0}, {123, -1}, {123, -3}, {123, 1}, {123, 5}, {123, 10}, {-123, 12}};
    for (int[] p : pairs) System.out.println(new BigDecimal(BigInteger.valueOf(p[0]), p[1]));
    //> 123
    //> -123
    //> 1.23E+3
    //> 1.23E+5
    //> 12.3
    //> 0.00123
    //> 1.23E-8
    //> -1.23E-10
    System.out.println(new BigDecimal(0.1));
    //> 0.1000000000000000055511151231257827021181583404541015625
    int[][] mods = {{4, 3}, {4, -3}, {-4, 3}, {-4, -3}};
    for (int[] p : mods) System.out.println(Math.floorMod(p[0], p[1]) + " " + p[0] % p[1]);
    //> 1 1
    //> -2 1
    //> 2 -1
    //> -1 -1
    System.out.println(Math.round(-0.5) + " " + Math.round(2.5) + " " + Math.rint(2.5) + " " + Math.abs(Integer.MIN_VALUE));
    //> 0 3 2.0 -2147483648
    try {
      Math.addExact(Integer.MAX_VALUE, 1);
    } catch (ArithmeticException e) {
      System.out.println(e);
    }
    //> java.lang.ArithmeticException: integer overflow
  }
}
