const fs = require("fs");
process.stdout.write(fs.readFileSync(0) + process.argv[2]);
fs.writeFileSync("out.txt", "written", { mode: 0o600 });
