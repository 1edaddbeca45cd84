import itertools

for i in itertools.count():
    open(f"f{i}", "wb").write(bytes(1 << 20))
