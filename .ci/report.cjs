// node .ci/report.cjs REPORT TOLD: prints how many tests of vitest's JSON report passed and how many
// didn't, and appends each of the latter to the file TOLD with the first lines of what it said.
const { appendFileSync, readFileSync } = require("node:fs");
const { relative } = require("node:path");

const [report, told] = process.argv.slice(2);
const { numPassedTests, numTotalTests, testResults } = JSON.parse(readFileSync(report));
for (const file of testResults) {
  const unpassed = file.assertionResults.filter(({ status }) => status !== "passed");
  for (const test of unpassed) tell(file.name, test.fullName, test.failureMessages.join("\n"));
  if (file.status !== "passed" && unpassed.length === 0) tell(file.name, "", file.message);
}
console.log(numPassedTests, numTotalTests - numPassedTests);

function tell(file, name, message) {
  const lines = (message || "no message: skipped, or never run").split("\n").slice(0, 12);
  appendFileSync(
    told,
    `✗ ${relative(".", file)} ${name}\n${lines.map((line) => `    ${line}\n`).join("")}`,
  );
}
