import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.stream.Collectors;

// What Warm practises on: a bit of all that small programs are made of.
public class Practice {
    sealed interface Shape permits Circle, Square {}

    record Circle(double radius) implements Shape {}

    record Square(double side) implements Shape {}

    enum Colour { RED, GREEN }

    static <T extends Comparable<T>> T largest(List<T> list) {
        T most = list.get(0);
        for (T t : list) {
            if (t.compareTo(most) > 0) {
                most = t;
            }
        }
        return most;
    }

    static double area(Shape s) {
        return switch (s) {
            case Circle c -> Math.PI * c.radius() * c.radius();
            case Square q -> q.side() * q.side();
        };
    }

    public static void main(String[] args) throws Exception {
        Map<String, Integer> count = new HashMap<>();
        try (Scanner in = new Scanner(System.in)) {
            while (in.hasNext()) {
                count.merge(in.next(), 1, Integer::sum);
            }
        } catch (IllegalStateException e) {
            System.err.println("error: " + e.getMessage());
        }
        List<Integer> list = new ArrayList<>(List.of(1, 2, 3));
        int[] squares = new int[10];
        for (int i = 0; i < squares.length; i++) {
            squares[i] = i * i;
        }
        String text = list.stream().filter(i -> i > 1).map(i -> "n" + i).collect(Collectors.joining(", "));
        System.out.println(text + largest(list) + area(new Circle(1)) + Colour.RED + squares[3]);
        System.out.printf("%d %s%n", count.size(), text);
        Runnable r = () -> System.out.println("done");
        Thread t = new Thread(r);
        t.start();
        t.join();
    }
}
