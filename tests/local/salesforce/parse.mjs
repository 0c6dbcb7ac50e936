// Parses commands of the Salesforce CLI with the CLI's own parser (npm @oclif/core) and the flags
// that the CLI's plugins declare. It does not look for orgs, so no login is needed.
// Arguments: the folder of the npm packages. Reads a JSON list of lists of arguments, without "sf".
// Prints for each command its problem, or null.
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { Args, Flags, Parser } = require("@oclif/core");

const commands = {};
for (const name of readdirSync(join(modules, "@salesforce"))) {
  const manifest = join(modules, "@salesforce", name, "oclif.manifest.json");
  if (name.startsWith("plugin-") && existsSync(manifest)) {
    Object.assign(commands, JSON.parse(readFileSync(manifest, "utf8")).commands);
  }
}

function flagsOf(command) {
  return Object.fromEntries(
    Object.entries(command.flags).map(([name, flag]) => {
      const { default: ignored, helpValue, ...declared } = flag; // a manifest has no functions
      return [name, flag.type === "boolean" ? Flags.boolean(declared) : Flags.string(declared)];
    }),
  );
}

async function problem(words) {
  const flagged = words.findIndex((word) => word.startsWith("-"));
  const end = flagged < 0 ? words.length : flagged;
  const named = [...Array(end).keys()]
    .map((place) => place + 1)
    .find((length) => commands[words.slice(0, length).join(":")]);
  if (!named) return `sf has no command ${words.slice(0, end).join(" ")}`;
  const command = commands[words.slice(0, named).join(":")];
  const args = Object.fromEntries(
    Object.entries(command.args).map(([name, { required }]) => [name, Args.string({ required })]),
  );
  const declared = { args, flags: flagsOf(command), strict: command.strict };
  try {
    await Parser.parse(words.slice(named), declared);
  } catch (error) {
    return error.message.split(/\s*\n\s*/).join(" ");
  }
  return null;
}

const found = [];
for (const words of JSON.parse(readFileSync(0, "utf8"))) found.push(await problem(words));
console.log(JSON.stringify(found));
