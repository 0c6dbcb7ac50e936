// Opens the pages of the dashboard in a browser, takes a picture of each, and reports faults.
//
// It reads one object of JSON from its input: `modules` (the folder of the npm packages),
// `address`, `folder` (for the pictures), `widths`, and `pages`, each with its `name`, its `title`
// in the menu, and `inputs` (the label of a field, and what is typed there).
// It prints a list with an entry for each picture.
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const asked = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(join(asked.modules, "look.mjs"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// Faults of Streamlit's own parts: the rule, how the attribute begins, and the element.
const OF_STREAMLIT = [
  // The menu of pages: a section has no state that aria-expanded could tell.
  ["aria-allowed-attr", 'aria-expanded="', '[data-testid="stSidebar"]'],
  // The button above a table that hides columns: aria-expanded is on a div around it.
  [
    "aria-allowed-attr",
    'aria-expanded="',
    '[data-testid="stDataFrame"] [data-testid="stElementToolbarButtonContainer"] > div',
  ],
  // The menu of a chart is a picture without a name.
  ["summary-name", "", '[data-testid="stVegaLiteChart"] > details > summary'],
];

const browser = await chromium.launch({
  executablePath: onPath() ?? (await fromPackage()),
  args: ["--no-sandbox"],
});
const seen = [];
for (const width of asked.widths) {
  for (const page of asked.pages) {
    seen.push(await look(page, width));
  }
}
await browser.close();
console.log(JSON.stringify(seen));

function onPath() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next name.
    }
  }
}

async function fromPackage() {
  process.env.AWS_LAMBDA_JS_RUNTIME ??= "nodejs22.x"; // then the package also unpacks its libraries
  const unpacked = await import(require.resolve("@sparticuz/chromium"));
  return unpacked.default.executablePath();
}

async function look({ name, title, inputs }, width) {
  // West of UTC, a day that is shown in local time is the day before.
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    timezoneId: "America/Los_Angeles",
  });
  const page = await context.newPage();
  const errors = [];
  const foreign = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== new URL(asked.address).origin) {
      foreign.push(request.url());
    }
  });
  await page.goto(asked.address);
  await settled(page);
  const menu = page.getByTestId("stExpandSidebarButton");
  if (await menu.isVisible()) {
    await menu.click();
  }
  await page.getByRole("link", { name: title, exact: true }).click();
  if (width < 768) {
    await page.getByTestId("stSidebarCollapseButton").getByRole("button").click();
  }
  await page.getByRole("heading", { name: title, exact: true, level: 1 }).waitFor();
  await settled(page);
  for (const [label, text] of Object.entries(inputs)) {
    await page.getByLabel(label, { exact: true }).fill(text);
    await page.keyboard.press("Enter");
    await settled(page);
  }
  const height = await page.evaluate(
    () => document.querySelector('[data-testid="stMain"]').scrollHeight,
  );
  await page.setViewportSize({ width, height: Math.min(Math.max(height, 600), 4000) });
  await settled(page);
  const picture = join(asked.folder, `${name}-${width}.png`);
  await page.screenshot({ path: picture });
  const text = await page.locator("body").innerText();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.evaluate(axe);
  const faults = await page.evaluate(found, OF_STREAMLIT);
  await context.close();
  return { name, width, wide, picture, text, errors, foreign, faults };
}

// What axe calls serious or critical. It runs in the page.
async function found(ofStreamlit) {
  const { violations } = await window.axe.run();
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, help, nodes }) => nodes.map((node) => ({ ...node, id, help })))
    .filter(({ id, target, any, all, none }) => {
      const attributes = [...any, ...all, ...none]
        .map(({ data }) => data?.values)
        .filter(Array.isArray)
        .flat();
      return !ofStreamlit.some(
        ([rule, attribute, element]) =>
          rule === id &&
          attributes.every((it) => attribute && it.startsWith(attribute)) &&
          document.querySelector(target[0])?.matches(element),
      );
    })
    .map(({ id, help, html }) => `${id}: ${help}: ${html}`);
}

async function settled(page) {
  await page.waitForSelector('[data-testid="stApp"][data-test-script-state="notRunning"] h1', {
    timeout: 90_000,
  });
  await page.waitForFunction(
    () => !document.querySelector('[data-testid="stSpinner"], [data-testid="stSkeleton"]'),
    undefined,
    { timeout: 90_000 },
  );
  await page.waitForTimeout(1500); // charts and tables draw themselves afterwards
}
