// A compact source file, as Java 25 has it: no class, an instance main, java.lang.IO, and a module import.
import module java.base;

final List<Integer> numbers = new ArrayList<>(List.of(3, 1, 2));

int twice(int n) { return 2 * n; }

void main() {
  Collections.sort(numbers);
  IO.println(numbers.stream().map(this::twice).toList());
  //> [2, 4, 6]
}
