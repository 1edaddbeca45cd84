const fs = require("fs");
const { execFileSync } = require("child_process");
if (execFileSync("/usr/bin/node", ["-p", "1+1"]).toString() !== "2\n") throw new Error("no child");
process.stdout.write(fs.readFileSync(0) + process.argv[2]);
fs.writeFileSync("out.txt", "written");
