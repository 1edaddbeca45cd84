// The examples in the javadoc of Collections.rotate, Stream and Gatherers, and what the interfaces of java.util promise.
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

public class Main {
  static void expect(Runnable r) {
    try {
      r.run();
      System.out.println("nothing thrown");
    } catch (RuntimeException e) {
      System.out.println(e.getClass().getSimpleName());
    }
  }

  public static void main(String[] args) {
    List<String> l = new ArrayList<>(List.of("t", "a", "n", "k", "s"));
    Collections.rotate(l, 1);
    System.out.println(l);
    //> [s, t, a, n, k]
    List<String> m = new ArrayList<>(List.of("a", "b", "c", "d", "e"));
    Collections.rotate(m.subList(1, 4), -1);
    System.out.println(m);
    //> [a, c, d, b, e]
    System.out.println(Stream.of(1, 2, 3, 4, 5, 6, 7, 8).gather(Gatherers.windowFixed(3)).toList());
    //> [[1, 2, 3], [4, 5, 6], [7, 8]]
    System.out.println(Stream.of(1, 2, 3, 4).gather(Gatherers.windowSliding(2)).toList());
    //> [[1, 2], [2, 3], [3, 4]]
    System.out.println(Stream.of("one", "two", "three", "four").filter(e -> e.length() > 3).map(String::toUpperCase).collect(Collectors.toList()));
    //> [THREE, FOUR]
    SortedMap<Integer, Long> lengths = Stream.of("a", "bb", "cc", "ddd").collect(Collectors.groupingBy(String::length, TreeMap::new, Collectors.counting()));
    System.out.println(lengths);
    //> {1=1, 2=2, 3=1}
    System.out.println(IntStream.rangeClosed(1, 5).summaryStatistics());
    //> IntSummaryStatistics{count=5, sum=15, min=1, average=3.000000, max=5}
    expect(() -> List.of(1).add(2));
    expect(() -> Map.of("a", 1, "a", 2));
    expect(() -> { List<Integer> c = new ArrayList<>(List.of(1, 2, 3)); for (Integer i : c) c.remove(i); });
    expect(() -> new ArrayDeque<Integer>().pop());
    expect(() -> List.of((Object) null));
    //> UnsupportedOperationException
    //> IllegalArgumentException
    //> ConcurrentModificationException
    //> NoSuchElementException
    //> NullPointerException
    NavigableMap<Integer, String> t = new TreeMap<>(Map.of(1, "a", 5, "e", 9, "i"));
    System.out.println(t.floorKey(6) + " " + t.higherKey(5) + " " + t.headMap(5, true) + " " + t.descendingMap());
    //> 5 9 {1=a, 5=e} {9=i, 5=e, 1=a}
    Map<String, Integer> words = new LinkedHashMap<>();
    for (String w : "the cat and the dog and the bird".split(" ")) words.merge(w, 1, Integer::sum);
    System.out.println(words);
    //> {the=3, cat=1, and=2, dog=1, bird=1}
    LinkedHashMap<Integer, Integer> lru = new LinkedHashMap<>(16, 0.75f, true) {
      protected boolean removeEldestEntry(Map.Entry<Integer, Integer> e) { return size() > 2; }
    };
    lru.put(1, 1); lru.put(2, 2); lru.get(1); lru.put(3, 3);
    System.out.println(lru.keySet());
    //> [1, 3]
    PriorityQueue<String> q = new PriorityQueue<>(Comparator.comparing(String::length).thenComparing(Comparator.reverseOrder()));
    q.addAll(List.of("bb", "a", "c", "dddd"));
    StringJoiner order = new StringJoiner(",", "{", "}");
    while (!q.isEmpty()) order.add(q.poll());
    System.out.println(order + " " + new BitSet(8).cardinality() + " " + List.of(1, 2, 3).reversed());
    //> {c,a,bb,dddd} 0 [3, 2, 1]
  }
}
