// Words of the canvas side in the language ComfyUI is set to, sizes as memory is named, and how the pack's routes are asked.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

const PATH = "/intelligent_generation";
const GUARD = { "Content-Type": "application/json", "X-Intelligent-Generation": "1" };
const GIB = 2 ** 30, MIB = 2 ** 20;

export function language() {
  return (app.extensionManager?.setting?.get("Comfy.Locale") ?? "en").slice(0, 2) === "es" ? "es" : "en";
}

// A function that says texts of a table {en: {key: text}, es: {…}}, its {names} filled in.
export function speaker(texts) {
  return (key, values = {}) => texts[language()][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function gib(bytes) {
  const [size, unit] = bytes >= GIB / 10 ? [(bytes / GIB).toFixed(1), "GiB"] : [Math.round(bytes / MIB), "MiB"];
  return `${language() === "es" ? String(size).replace(".", ",") : size} ${unit}`;
}

// What a route answers; a refusal is thrown as an Error that holds the server's own sentence, its status and code.
// `path` may hold a query; a request that `signal` aborts throws an AbortError.
export async function ask(path, body, { signal } = {}) {
  const sent = body && { method: "POST", headers: GUARD, body: JSON.stringify({ ...body, language: language() }) };
  const spoken = `${path}${path.includes("?") ? "&" : "?"}language=${language()}`;
  const answer = await api.fetchApi(PATH + (body ? path : spoken), { ...sent, signal });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(told.message ?? `HTTP ${answer.status}`), { status: answer.status, code: told.error ?? "" });
  return told;
}

export function toast(severity, summary, detail = "", life = 8000) {
  app.extensionManager.toast.add({ severity, summary, detail, life });
}

// An element with attributes and children; texts are never read as HTML.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
