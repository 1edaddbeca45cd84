import sys

print(sys.stdin.read() + sys.argv[1], end="")
open("out.txt", "w").write("written")
