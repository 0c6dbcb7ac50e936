// Measures the npm package salesforce-pubsub-api-client, and prints one JSON object.
// The client subscribes, decodes each event and turns it into JSON. It stores nothing.
// The first argument is the folder of the package.
// The second is a JSON object with "endpoint", "topics", and "events", the total of all topics.
import { pathToFileURL } from "node:url";

const [folder, text] = process.argv.slice(2);
const { endpoint, topics, events } = JSON.parse(text);
const { default: PubSubApiClient } = await import(pathToFileURL(`${folder}/dist/client.js`).href);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const session = {
  authType: "user-supplied",
  accessToken: "x",
  instanceUrl: "https://x.my.salesforce.com",
  organizationId: "00D000000000000AAA",
};
const client = new PubSubApiClient(
  { ...session, pubSubEndpoint: endpoint, rejectUnauthorizedSsl: false },
  silent,
);
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
  const figures = {
    seconds,
    cpu: (cpu.user + cpu.system) / 1e6,
    peak_mb: peak,
    received,
    bytes,
  };
  process.stdout.write(JSON.stringify(figures) + "\n");
  process.exit(0);
};
for (const topic of topics) client.subscribeFromEarliestEvent(topic, take);
