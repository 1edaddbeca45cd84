// The examples in the javadoc of String.split, Matcher.replaceAll, Matcher.appendReplacement and java.util.Formatter; text blocks as
// in the Java Language Specification, 3.10.6.
import java.util.*;
import java.util.regex.*;

public class Main {
  static void split(String regex, int limit) {
    System.out.println(Arrays.asList("boo:and:foo".split(regex, limit)));
  }

  public static void main(String[] args) {
    split(":", 2);
    split(":", 5);
    split(":", -2);
    split("o", 5);
    split("o", -2);
    split("o", 0);
    //> [boo, and:foo]
    //> [boo, and, foo]
    //> [boo, and, foo]
    //> [b, , :and:f, , ]
    //> [b, , :and:f, , ]
    //> [b, , :and:f]
    System.out.println(Pattern.compile("a*b").matcher("aabfooaabfooabfoob").replaceAll("-"));
    //> -foo-foo-foo-
    Matcher m = Pattern.compile("cat").matcher("one cat two cats in the yard");
    StringBuilder sb = new StringBuilder();
    while (m.find()) m.appendReplacement(sb, "dog");
    System.out.println(m.appendTail(sb));
    //> one dog two dogs in the yard
    System.out.println(String.format("%4$2s %3$2s %2$2s %1$2s", "a", "b", "c", "d"));
    //>  d  c  b  a
    System.out.println(String.format(Locale.US, "Amount gained or lost since last statement: $ %(,.2f", -6217.58));
    //> Amount gained or lost since last statement: $ (6,217.58)
    System.out.println(String.format(Locale.US, "Duke's Birthday: %1$tb %1$te, %1$tY", new GregorianCalendar(1995, Calendar.MAY, 23)));
    //> Duke's Birthday: May 23, 1995
    System.out.print("""
        <p>
          line \
        joined
          trailing\s
        </p>
        """);
    //> <p>
    //>   line joined
    //>   trailing 
    //> </p>
    System.out.println("straße".toUpperCase(Locale.ROOT) + " " + "ΑΣ".toLowerCase(Locale.ROOT) + " " + " \u2003x ".strip() + "ab".repeat(3));
    //> STRASSE ας xababab
    Matcher named = Pattern.compile("(?<year>\\d{4})-(?<month>\\d\\d)(?!\\d)").matcher("on 2007-12-03");
    System.out.println(named.find() + " " + named.group("year") + " " + named.group("month") + " " + named.start());
    //> true 2007 12 3
    System.out.println("hello".hashCode() + " " + List.of(1, 2, 3).hashCode() + " " + Objects.hash(1, 2, 3) + " " + Boolean.hashCode(true));
    //> 99162322 30817 30817 1231
  }
}
