// Copyright: the Roost developers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
//
// Draws D2 sources as PNG: render.mjs OUTPUT FILE...
// docs/draw.py copies it beside the node_modules that it needs, and runs it there. D2 is given all
// sources of the files' folder, so that they can import each other.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import resvg from "@resvg/resvg-js";
import { D2 } from "@terrastruct/d2";

// Twice D2's own measure: 16 px text is then 32 px high, sharp on paper.
const ZOOM = 2;
const PAD = 12;

// One font for both: D2 measures text with it, resvg draws with it, whatever the machine has.
const FAMILY = "DejaVu Sans";
const FONTS = path.dirname(createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json"));
const FACES = {
  fontRegular: "DejaVuSans.ttf",
  fontItalic: "DejaVuSans-Oblique.ttf",
  fontBold: "DejaVuSans-Bold.ttf",
  fontSemibold: "DejaVuSans-Bold.ttf",
};
const STYLES = {
  regular: `font-family: "${FAMILY}"`,
  italic: `font-family: "${FAMILY}"; font-style: italic`,
  bold: `font-family: "${FAMILY}"; font-weight: bold`,
  semibold: `font-family: "${FAMILY}"; font-weight: bold`,
};

function face(name) {
  return path.join(FONTS, "ttf", name);
}

// D2 puts its fonts into the SVG as web fonts, which resvg doesn't read.
function withFont(svg) {
  return svg.replace(/font-family: ?"d2-\d+-font-(\w+)"/g, (_, style) => STYLES[style]);
}

function sourcesIn(folder) {
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".d2"));
  return Object.fromEntries(
    names.map((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]),
  );
}

async function draw(d2, sources, name) {
  const fonts = Object.entries(FACES).map(([key, file]) => [
    key,
    // As text, which is what arrives whole: d2lang/d2 issue 2522.
    fs.readFileSync(face(file), "base64"),
  ]);
  const { diagram, renderOptions } = await d2.compile({
    fs: sources,
    inputPath: name,
    options: { layout: "elk", ...Object.fromEntries(fonts) },
  });
  const svg = await d2.render(diagram, { ...renderOptions, pad: PAD, scale: 1, noXMLTag: true });
  const options = {
    background: "white",
    fitTo: { mode: "zoom", value: ZOOM },
    font: {
      loadSystemFonts: false,
      fontFiles: [...new Set(Object.values(FACES))].map(face),
      defaultFontFamily: FAMILY,
    },
  };
  return new resvg.Resvg(withFont(svg), options).render().asPng();
}

async function main([output, ...files]) {
  const d2 = new D2();
  for (const file of files) {
    const { dir, base, name } = path.parse(file);
    const png = await draw(d2, sourcesIn(dir), base);
    fs.writeFileSync(path.join(output, `${name}.png`), png);
  }
}

try {
  await main(process.argv.slice(2));
  process.exit(0); // D2's worker would keep the process alive
} catch (error) {
  console.error(`render.mjs: ${error.message ?? error}`);
  process.exit(1);
}
