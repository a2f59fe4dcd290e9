// The Markdown that the server's texts use (titles, tables, lists, plain paragraphs) as elements; texts stay texts.
import { element } from "./speaking.mjs";

const CELL = "padding:0.2rem 0.5rem;text-align:start;border-bottom:1px solid var(--border-color);vertical-align:top";

export function blocks(markdown) {
  return markdown.split(/\n{2,}/).map((text) => text.trim()).filter(Boolean).map(block);
}

function block(text) {
  const lines = text.split("\n");
  const title = /^#{1,3} (.*)$/.exec(text);
  if (title) return element("h3", { style: "margin-top:0.75rem" }, plain(title[1]));
  if (lines.length > 1 && /^\|[ :|-]+\|$/.test(lines[1])) return tableOf(lines);
  if (lines.every((line) => line.startsWith("- "))) return element("ul", {}, ...lines.map((line) => element("li", {}, plain(line.slice(2)))));
  return element("p", { class: "quiet" }, plain(text));
}

function tableOf([head, , ...rows]) {
  const cells = (line) => line.replace(/^\| | \|$/g, "").split(/(?<!\\) ?\| ?/).map(plain);
  const headed = element("tr", {}, ...cells(head).map((text) => element("th", { scope: "col", style: CELL }, text)));
  const body = rows.map((line) => element("tr", {}, ...cells(line).map((text) => element("td", { style: CELL }, text))));
  const made = element("table", { style: "border-collapse:collapse;font-size:0.8rem;width:100%" }, element("thead", {}, headed), element("tbody", {}, ...body));
  return element("div", { style: "overflow-x:auto", tabindex: "0" }, made);
}

function plain(text) {
  return text.replace(/\*\*/g, "").replace(/\\([\\|`*_[\]<>#])/g, "$1");
}
