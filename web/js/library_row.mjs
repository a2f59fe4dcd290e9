// One local model as a row of the library: what it is, for what, how often used and how liked; dragged, used, looked into.
import { element, speaker } from "./speaking.mjs";
import { copy } from "./copying.mjs";
import { draggable } from "./dragging.mjs";
import { licenceWord } from "./licence.mjs";
import { previewUrl } from "./pictures.mjs";
import { fileSize, number, plain } from "./sizes.mjs";

export const ROW_HEIGHT = 100; // pixels
const MOST_TRIGGERS = 4;
const BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="; // nothing to see: the theme's grey

const say = speaker({
  en: {
    use: "Use", use_named: "Use {name}", details: "Details of {name}", copy: "Copy {word}", verified: "verified", mismatch: "other bytes", newer: "update",
    get_newer: "Download the newer version of {name}", problem: "cannot be used", nsfw: "NSFW", unknown: "family unknown", strength: "strength {best}", span: "{best} ({low}–{high})",
    uses: "used {count}×", stars: "★ {stars}", loading: "Loading…",
  },
  es: {
    use: "Usar", use_named: "Usar {name}", details: "Detalles de {name}", copy: "Copiar {word}", verified: "verificado", mismatch: "otros bytes", newer: "actualización",
    get_newer: "Descargar la versión más nueva de {name}", problem: "no se puede usar", nsfw: "NSFW", unknown: "familia desconocida", strength: "fuerza {best}", span: "{best} ({low}–{high})",
    uses: "usado {count}×", stars: "★ {stars}", loading: "Cargando…",
  },
});

export const STYLE = `
.iig-small { gap: 0.3rem !important; } .iig-small button { font-size: 0.78rem; padding: 0.2rem 0.45rem !important; }
.iig-model { display: flex; gap: 0.6rem; padding: 6px 4px; border-bottom: 1px solid var(--border-color); overflow: hidden; align-items: flex-start; }
.iig-model .body { flex: 1; min-width: 0; display: flex; flex-direction: column; gap: 2px; }
.iig-model .line { display: flex; gap: 0.4rem; align-items: center; min-width: 0; white-space: nowrap; overflow: hidden; }
.iig-model .line.quiet { display: block; text-overflow: ellipsis; font-size: 0.78rem; }
.iig-model .name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; text-align: start; padding: 0 !important; min-width: 3rem; }
.iig-model .badges { display: flex; gap: 0.3rem; flex: none; }
.iig-model .chip { padding: 0 0.45rem !important; border-radius: 1rem !important; max-width: 9rem; overflow: hidden; text-overflow: ellipsis; flex: none; display: block !important; }
.iig-model .use { flex: none; margin-inline-start: auto; padding: 0.1rem 0.5rem !important; }
.iig-model [hidden] { display: none !important; }`;

export function strengthText({ minimum, recommended, maximum }) {
  if (recommended == null && minimum == null) return "";
  const best = recommended ?? minimum;
  return minimum != null && maximum != null && minimum !== maximum ? say("span", { best: plain(best), low: plain(minimum), high: plain(maximum) }) : plain(best);
}

// `labels` names families by id; `acts` is {details(row), use(row)}; `spare` is a row made before, to be filled anew. Its parts
// stay, for making elements is what costs while the list is scrolled.
export function modelRow(row, labels, acts, spare) {
  const made = spare ?? frame();
  const { parts } = made;
  made.model = row;
  made.acts = acts;
  made.classList.toggle("quiet", !row);
  fillThumb(parts.thumb, row);
  const title = row ? titleOf(row) : say("loading");
  text(parts.name, title);
  text(parts.about, row ? about(row, labels) : "");
  text(parts.standing, row ? standing(row) : "");
  parts.badges.replaceChildren(...(row ? badges(row, title) : []));
  parts.use.hidden = !row;
  if (row) {
    parts.use.disabled = row.problem !== null;
    parts.name.title = row.name;
    made.setAttribute("aria-label", title);
    parts.name.setAttribute("aria-label", say("details", { name: title }));
    parts.use.setAttribute("aria-label", say("use_named", { name: title }));
  }
  made.dataset.name = row?.name ?? "";
  made.dataset.reached = "";
  fillChips(parts, row?.trigger_groups.flat() ?? []);
  return made;
}

function titleOf(row) {
  return row.title || row.name.replace(/^.*[\\/]/, "").replace(/\.\w+$/, "");
}

function frame() {
  const name = element("button", { type: "button", class: "bare name" });
  const use = element("button", { type: "button", class: "use" }, say("use"));
  const parts = { name, use, thumb: element("img", { class: "thumb", alt: "", decoding: "async" }), badges: element("span", { class: "badges" }), about: element("div", { class: "line quiet" }), standing: element("div", { class: "line quiet" }), chips: [], more: element("span", { class: "quiet" }) };
  const line = element("div", { class: "line" });
  for (let place = 0; place < MOST_TRIGGERS; place++) parts.chips.push(chip());
  line.append(...parts.chips, parts.more);
  const made = element("div", { class: "iig-model" }, parts.thumb, element("div", { class: "body" }, element("div", { class: "line" }, name, parts.badges, use), parts.about, parts.standing, line));
  Object.assign(made, { parts });
  name.addEventListener("click", () => made.model && made.acts.details(made.model));
  use.addEventListener("click", () => made.acts.use(made.model));
  parts.thumb.addEventListener("error", () => parts.thumb.classList.add("missing"));
  parts.thumb.draggable = false; // the row is dragged, not its picture
  made.addEventListener("keydown", (event) => event.target === made && event.key === "Enter" && made.model && made.acts.details(made.model));
  draggable(made, () => made.model);
  return made;
}

function chip() {
  const made = element("button", { type: "button", class: "chip" });
  made.addEventListener("click", () => copy(made.textContent));
  return made;
}

function text(place, said) {
  if (place.textContent !== said) place.textContent = said;
}

function fillThumb(image, row) {
  const src = row?.preview ? previewUrl({ kind: row.kind, name: row.name }) : BLANK;
  if (image.getAttribute("src") === src) return;
  image.classList.remove("missing");
  image.src = src;
}

function fillChips({ chips, more }, words) {
  for (const [place, each] of chips.entries()) {
    const word = words[place];
    each.hidden = word === undefined;
    if (word === undefined || each.textContent === word) continue;
    each.textContent = each.title = word;
    each.setAttribute("aria-label", say("copy", { word }));
  }
  text(more, words.length > MOST_TRIGGERS ? `+${words.length - MOST_TRIGGERS}` : "");
}

function about(row, labels) {
  const family = row.family ? labels[row.family] ?? row.family : say("unknown");
  const parts = [family, row.base_model && row.base_model !== family ? row.base_model : "", fileSize(row.size_bytes), licenceWord(row.licence)];
  return parts.filter(Boolean).join(" · ");
}

function standing(row) {
  const strength = strengthText(row.strength);
  const stars = row.stars === null ? "" : say("stars", { stars: number(row.stars, 1) }); // first: a narrow panel cuts the rest
  const parts = [stars, strength && row.kind === "loras" ? say("strength", { best: strength }) : "", row.uses ? say("uses", { count: row.uses }) : ""];
  return parts.filter(Boolean).join(" · ") || row.name;
}

function badges(row, title) {
  const made = [];
  const badge = (tone, key, hint = "") => made.push(element("span", { class: `badge ${tone}`, title: hint }, say(key)));
  if (row.problem) badge("bad", "problem", row.problem);
  if (row.verification === "verified") badge("good", "verified");
  if (row.verification === "mismatch") badge("bad", "mismatch");
  if (row.nsfw) badge("warn", "nsfw");
  if (row.newer && row.hub_id) {
    const newer = element("button", { type: "button", class: "badge warn", "aria-label": say("get_newer", { name: title }) }, say("newer"));
    newer.addEventListener("click", async () => (await import("./downloading.mjs")).offerDownload(newerRef(row)));
    made.push(newer);
  }
  return made;
}

// What names the newer version at its hub.
export function newerRef({ hub_id: own, newer }) {
  return `${own.replace(/@.*$/, "")}@${newer}`;
}
