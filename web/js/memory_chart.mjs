// Shares of VRAM and RAM in use over the last two minutes, as SVG.
import { element, gib, speaker } from "./speaking.mjs";

const SVG = "http://www.w3.org/2000/svg";
const SPAN_S = 120, GAP_S = 5; // a longer pause between two readings is a gap in the line
const WIDTH = 240, HEIGHT = 80;
const COLOURS = ["#2563eb", "#9333ea", "#db2777", "#0d9488"]; // contrast of 3:1 on the dark and on the light theme; RAM is dashed, too
const RAM_COLOUR = "#c2410c";

const say = speaker({
  en: { title: "Memory in use, last two minutes", line: "{name} {used} of {total} ({percent} %)", span: "2 min ago", now: "now" },
  es: { title: "Memoria en uso, últimos dos minutos", line: "{name} {used} de {total} ({percent} %)", span: "hace 2 min", now: "ahora" },
});

const readings = []; // kept while the page is open, so that the line goes on when the view comes back

export function chart() {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": say("title") });
  picture.style.cssText = "width:100%;height:6rem;display:block;border:1px solid var(--border-color);border-radius:0.4rem;background:var(--comfy-input-bg)";
  const axis = element("div", { class: "row quiet", "aria-hidden": "true" }, element("span", {}, say("span")), element("span", {}, say("now")));
  const legend = element("ul", {});
  const add = (readout) => {
    remember(readout);
    draw(picture, legend);
  };
  if (readings.length) draw(picture, legend);
  return { element: element("section", { "aria-label": say("title") }, picture, axis, legend), add };
}

function remember({ at, devices, ram }) {
  const shares = devices.map((each) => series(devices.length > 1 ? `VRAM ${each.device}` : "VRAM", each.used_bytes, each.total_bytes));
  shares.push(series("RAM", ram.total_bytes - ram.free_bytes, ram.total_bytes));
  readings.push({ at, shares });
  while (readings.length && readings[0].at < at - SPAN_S) readings.shift();
}

function series(name, used, total) {
  return { name, used, total, share: total ? used / total : 0 };
}

function draw(picture, legend) {
  const { at: now, shares } = readings.at(-1);
  const lines = shares.map(({ name }, index) => line(now, name, colour(name, index)));
  picture.replaceChildren(...[25, 50, 75].map(rule), ...lines);
  const told = shares.map(({ name, used, total, share }) => say("line", { name, used: gib(used), total: gib(total), percent: Math.round(share * 100) }));
  picture.setAttribute("aria-label", `${say("title")}: ${told.join("; ")}`);
  legend.replaceChildren(...told.map((text, index) => entry(text, shares[index].name, index)));
}

function colour(name, index) {
  return name === "RAM" ? RAM_COLOUR : COLOURS[index % COLOURS.length];
}

function line(now, name, stroke) {
  let path = "", before = -Infinity;
  for (const { at, shares } of readings) {
    const found = shares.find((each) => each.name === name);
    if (!found) continue;
    const x = WIDTH * (1 - (now - at) / SPAN_S), y = HEIGHT * (1 - Math.min(1, found.share));
    path += `${at - before > GAP_S ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = at;
  }
  const dashes = name === "RAM" ? { "stroke-dasharray": "4 3" } : {};
  return svg("path", { d: path, fill: "none", stroke, "stroke-width": 2, "vector-effect": "non-scaling-stroke", ...dashes });
}

function rule(percent) {
  const y = HEIGHT * (1 - percent / 100);
  return svg("line", { x1: 0, x2: WIDTH, y1: y, y2: y, stroke: "var(--border-color)", "stroke-width": 1, "vector-effect": "non-scaling-stroke" });
}

function entry(text, name, index) {
  const mark = element("span", { "aria-hidden": "true" });
  const kind = name === "RAM" ? "dashed" : "solid";
  mark.style.cssText = `display:inline-block;width:1.2rem;border-top:3px ${kind} ${colour(name, index)};vertical-align:middle;margin-right:0.4rem`;
  return element("li", {}, mark, text);
}

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
