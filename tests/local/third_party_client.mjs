// Subscribes with the npm package salesforce-pubsub-api-client, as a user of that package would.
// Prints each callback as a line of JSON.
// Arguments: the package's folder, then a JSON object with "config", "topic" and maybe "replayId".
import { pathToFileURL } from "node:url";

const [folder, text] = process.argv.slice(2);
const { config, topic, replayId } = JSON.parse(text);
const { default: PubSubApiClient } = await import(pathToFileURL(`${folder}/dist/client.js`).href);

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const bigintAsText = (_, value) => (typeof value === "bigint" ? `${value}` : value);
const tell = (what) => process.stdout.write(JSON.stringify(what, bigintAsText) + "\n");
const client = new PubSubApiClient(config, silent);
await client.connect();

const end = () => {
  client.close();
  process.exit(0);
};
setTimeout(() => process.exit(3), 30000).unref();
const listen = (_, kind, data) => {
  if (kind === "event") tell({ kind, id: data.id, payload: data.payload });
  if (kind === "error") {
    const errorCode = data.metadata?.get?.("error-code")?.[0];
    tell({ kind, code: data.code, details: data.details, errorCode });
  }
  if (kind === "grpcKeepAlive") tell({ kind });
  if (kind === "grpcKeepAlive" || kind === "error") setTimeout(end, 500);
};
if (replayId === undefined) client.subscribeFromEarliestEvent(topic, listen);
else client.subscribeFromReplayId(topic, listen, null, replayId);
