// What java.util.concurrent and java.lang promise of threads.
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Main {
  static final ScopedValue<String> NAME = ScopedValue.newInstance();

  public static void main(String[] args) throws Exception {
    var sum = new LongAdder();
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 1; i <= 1000; i++) {
        int n = i;
        executor.submit(() -> { Thread.sleep(1); sum.add(n); return n; });
      }
    }
    System.out.println(sum.sum());
    //> 500500
    System.out.println(CompletableFuture.supplyAsync(() -> 6).thenCombine(CompletableFuture.supplyAsync(() -> 7), (a, b) -> a * b).get(10, TimeUnit.SECONDS));
    //> 42
    ScopedValue.where(NAME, "duke").run(() -> System.out.println(NAME.get() + " " + NAME.isBound()));
    //> duke true
    System.out.println(NAME.isBound());
    //> false
    int[] counter = {0};
    var lock = new Object();
    List<Thread> threads = IntStream.range(0, 8).mapToObj(i -> Thread.ofPlatform().start(() -> {
      for (int k = 0; k < 1000; k++) synchronized (lock) { counter[0]++; }
    })).toList();
    for (Thread t : threads) t.join();
    System.out.println(counter[0]);
    //> 8000
    var latch = new CountDownLatch(3);
    for (int i = 0; i < 3; i++) Thread.startVirtualThread(latch::countDown);
    System.out.println(latch.await(10, TimeUnit.SECONDS) + " " + latch.getCount());
    //> true 0
    System.out.println(IntStream.rangeClosed(1, 1000).parallel().filter(n -> n % 7 == 0).sum());
    //> 71071
    var map = new ConcurrentHashMap<Integer, Integer>();
    IntStream.range(0, 1000).parallel().forEach(i -> map.merge(i % 10, 1, Integer::sum));
    System.out.println(map.values().stream().distinct().toList() + " " + map.size());
    //> [100] 10
    var failed = CompletableFuture.supplyAsync(() -> { throw new IllegalStateException("x"); });
    try {
      failed.get(10, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      System.out.println(e.getCause());
    }
    //> java.lang.IllegalStateException: x
    Thread sleeper = Thread.ofPlatform().start(() -> {
      try { Thread.sleep(60_000); } catch (InterruptedException e) { System.out.println("interrupted " + Thread.currentThread().isInterrupted()); }
    });
    sleeper.interrupt();
    sleeper.join();
    //> interrupted false
    var queue = new ArrayBlockingQueue<Integer>(1);
    Thread.startVirtualThread(() -> { try { for (int i = 0; i < 3; i++) queue.put(i); } catch (InterruptedException e) { } });
    System.out.println(queue.take() + " " + queue.take() + " " + queue.take());
    //> 0 1 2
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    //> hook
  }
}
