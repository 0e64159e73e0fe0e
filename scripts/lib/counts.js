// counts.js REPORT: reads vitest's JSON report and prints "passed failed skipped", then a line for each skipped test.
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tests = report.testResults.flatMap((file) => file.assertionResults);
const count = (...statuses) => tests.filter((test) => statuses.includes(test.status)).length;
// A file that could not be loaded failed without a test of its own.
const broken = report.testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.length === 0,
).length;

console.log(count("passed"), count("failed") + broken, count("skipped", "pending", "todo", "disabled"));
for (const test of tests) {
  if (["skipped", "pending", "todo", "disabled"].includes(test.status)) console.log(test.fullName);
}
