// Resolves a folder of an SFDX project and packs it, as "sf project deploy start" does.
// Arguments: the folder of the npm packages, the source folder, a folder for the package.
// Prints the package's folder, and each component with the files that it was read from.
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, source, target] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { ComponentSet, MetadataConverter } = require("@salesforce/source-deploy-retrieve");

const set = ComponentSet.fromSource(source);
const components = [...set.getSourceComponents()].flatMap((one) => [one, ...one.getChildren()]);
const { packagePath } = await new MetadataConverter().convert(set, "metadata", {
  type: "directory",
  outputDirectory: target,
});
console.log(
  JSON.stringify({
    components: components.map((one) => ({
      name: `${one.type.name}:${one.fullName}`,
      files: [one.xml, one.content].filter((path) => path),
    })),
    package: packagePath,
  }),
);
