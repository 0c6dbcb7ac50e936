// The npm package salesforce-pubsub-api-client: subscribe, decode, make JSON of each event, store nothing. Prints one JSON object.
// Arguments: the package's folder, then a JSON object with "endpoint", "topics" and "events", of all topics together.
import { pathToFileURL } from "node:url";

const [folder, text] = process.argv.slice(2);
const { endpoint, topics, events } = JSON.parse(text);
const { default: PubSubApiClient } = await import(pathToFileURL(`${folder}/dist/client.js`).href);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const session = { authType: "user-supplied", accessToken: "x", instanceUrl: "https://x.my.salesforce.com", organizationId: "00D000000000000AAA" };
const client = new PubSubApiClient({ ...session, pubSubEndpoint: endpoint, rejectUnauthorizedSsl: false }, silent);
await client.connect();

const began = process.hrtime.bigint();
const cpuBegan = process.cpuUsage();
let received = 0;
let bytes = 0;
const take = (_, kind, data) => {
  if (kind !== "event") return;
  bytes += JSON.stringify(data.payload).length;
  received += 1;
  if (received !== events) return;
  const cpu = process.cpuUsage(cpuBegan);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const peak = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ seconds, cpu: (cpu.user + cpu.system) / 1e6, peak_mb: peak, received, bytes }) + "\n");
  process.exit(0);
};
for (const topic of topics) client.subscribeFromEarliestEvent(topic, take);
