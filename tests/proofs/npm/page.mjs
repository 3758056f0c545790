// What a reader of a page would see amiss, on a wide screen and a narrow one, light and dark:
// a line each. Arguments: the browser, then pages. Nothing is fetched, and that is seen to.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [executablePath, ...files] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
for (const file of files) {
  for (const width of [1280, 390]) {
    for (const colorScheme of ["light", "dark"]) {
      const say = (what) => console.log(`${file}, ${width}, ${colorScheme}: ${what}`);
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme,
        offline: true,
      });
      const page = await context.newPage();
      page.on("console", (message) => say(`console: ${message.text()}`));
      page.on("pageerror", (error) => say(`error: ${error.message}`));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) say(`request: ${request.url()}`);
      });
      await page.goto(pathToFileURL(file).href);
      await page.evaluate(() => {
        for (const folded of document.querySelectorAll("details")) folded.open = true;
      });
      const pictures = await page.evaluate(() =>
        Promise.all(
          [...document.images].map((image) =>
            image.decode().then(
              () => (image.naturalWidth > 1 ? null : `no picture: ${image.alt}`),
              () => `broken picture: ${image.alt}`,
            ),
          ),
        ),
      );
      pictures.filter(Boolean).forEach(say);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) say(`overflow: ${wide} pixels wide`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      for (const { id, help, nodes } of violations) {
        say(`axe ${id}: ${help}: ${nodes[0].html.slice(0, 200)}`);
      }
      await context.close();
    }
  }
}
await browser.close();
