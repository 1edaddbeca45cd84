import multiprocessing
import sys


def square(x):
    return x * x


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        assert pool.map(square, [1, 2, 3]) == [1, 4, 9]
    print(sys.stdin.read() + sys.argv[1], end="")
    open("out.txt", "w").write("written")
