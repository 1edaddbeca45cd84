// What the Java Language Specification says of records, sealed types, patterns, initialization order and exceptions.
import java.util.*;

public class Main {
  sealed interface Shape permits Circle, Square, Rectangle {}
  record Circle(double radius) implements Shape {}
  record Square(double side) implements Shape {}
  record Rectangle(double width, double height) implements Shape {
    Rectangle {
      if (width < 0) throw new IllegalArgumentException("width " + width);
    }
  }

  static String describe(Object o) {
    return switch (o) {
      case null -> "null";
      case Circle(double r) when r > 10 -> "big circle";
      case Circle c -> "circle";
      case Rectangle(var w, var h) -> "rectangle " + w * h;
      case Square s -> "square";
      case Integer i when i < 0 -> "negative";
      case Integer i -> "integer";
      case int[] a -> "array of " + a.length;
      case String s -> s.isEmpty() ? "empty" : "string";
      default -> o.getClass().getSimpleName();
    };
  }

  static class Base {
    Base() { System.out.println("Base " + name()); }
    String name() { return "base"; }
  }
  static class Derived extends Base {
    final String name;
    int n = 7;
    Derived(String s) {
      name = s; // before super(): Java 25
      super();
      System.out.println("Derived " + name() + " " + n);
    }
    @Override String name() { return name + n; }
  }

  static class Resource implements AutoCloseable {
    final String name;
    Resource(String name) { this.name = name; }
    @Override public void close() { System.out.println("close " + name); throw new IllegalStateException(name); }
  }

  @SuppressWarnings("finally")
  static int finallyWins() {
    try { throw new RuntimeException(); } finally { return 3; }
  }

  enum Planet { MERCURY(3.303e+23), EARTH(5.976e+24); final double mass; Planet(double m) { mass = m; } }

  public static void main(String[] args) {
    for (Object o : new Object[] {new Circle(11), new Circle(1), new Rectangle(2, 3), new Square(1), -1, 1, new int[2], "", "x", null, 'c'}) System.out.println(describe(o));
    //> big circle
    //> circle
    //> rectangle 6.0
    //> square
    //> negative
    //> integer
    //> array of 2
    //> empty
    //> string
    //> null
    //> Character
    System.out.println(new Rectangle(1, 2) + " " + new Square(1).equals(new Square(1)));
    //> Rectangle[width=1.0, height=2.0] true
    new Derived("x");
    //> Base x0
    //> Derived x7 7
    try (var a = new Resource("a"); var b = new Resource("b")) {
      throw new RuntimeException("body");
    } catch (RuntimeException e) {
      System.out.println(e.getMessage() + " " + Arrays.toString(e.getSuppressed()));
    }
    //> close b
    //> close a
    //> body [java.lang.IllegalStateException: b, java.lang.IllegalStateException: a]
    System.out.println(finallyWins());
    //> 3
    int i = 0;
    i = i++ + ++i;
    int[] a = {0, 0, 0};
    int k = 0;
    a[k++] = k;
    System.out.println(i + " " + Arrays.toString(a) + " " + (byte) 200 + " " + (int) 1e20 + " " + (int) Double.NaN + " " + (char) ('a' + 1) + " " + 7 / -2 + " " + (5 & 6 | 1));
    //> 2 [1, 0, 0] -56 2147483647 0 b -3 5
    System.out.println(Planet.valueOf("EARTH").ordinal() + " " + Planet.EARTH.mass + " " + Double.compare(0.0, -0.0) + " " + (0.0 == -0.0) + " " + Double.valueOf(Double.NaN).equals(Double.NaN));
    //> 1 5.976E24 1 true true
    Integer x = 127, y = 127;
    System.out.println((x == y) + " " + ("a" + "b" == "ab") + " " + Objects.requireNonNullElse(null, "else"));
    //> true true else
  }
}
