// One local model as a row of the library: what it is, for what, how often used and how liked; dragged, used, looked into.
import { element, speaker } from "./speaking.mjs";
import { copy } from "./copying.mjs";
import { offerDownload } from "./downloading.mjs";
import { draggable } from "./dragging.mjs";
import { licenceWord } from "./licence.mjs";
import { picture, previewUrl } from "./pictures.mjs";
import { fileSize } from "./sizes.mjs";

export const ROW_HEIGHT = 100; // pixels
const MOST_TRIGGERS = 4;

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
.iig-model { display: flex; gap: 0.6rem; padding: 6px 4px; border-bottom: 1px solid var(--border-color); overflow: hidden; align-items: flex-start; }
.iig-model .body { flex: 1; min-width: 0; display: flex; flex-direction: column; gap: 2px; }
.iig-model .line { display: flex; gap: 0.4rem; align-items: center; min-width: 0; white-space: nowrap; overflow: hidden; }
.iig-model .line.quiet { display: block; text-overflow: ellipsis; font-size: 0.78rem; }
.iig-model .name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; text-align: start; padding: 0 !important; min-width: 3rem; }
.iig-model .badge { flex: none; }
.iig-model .chip { padding: 0 0.45rem !important; border-radius: 1rem !important; max-width: 9rem; overflow: hidden; text-overflow: ellipsis; flex: none; display: block !important; }
.iig-model .use { flex: none; margin-inline-start: auto; padding: 0.1rem 0.5rem !important; }`;

export function strengthText({ minimum, recommended, maximum }) {
  if (recommended == null && minimum == null) return "";
  const best = recommended ?? minimum;
  return minimum != null && maximum != null && minimum !== maximum ? say("span", { best, low: minimum, high: maximum }) : String(best);
}

// `labels` names families by id; `acts` is {details(row), use(row)}.
export function modelRow(row, labels, acts) {
  if (!row) return element("div", { class: "iig-model quiet" }, element("div", { class: "thumb" }), say("loading"));
  const title = row.title || row.name.replace(/^.*[\\/]/, "").replace(/\.\w+$/, "");
  const name = element("button", { type: "button", class: "bare name", tabindex: "-1", title: row.name, "aria-label": say("details", { name: title }) }, title);
  name.addEventListener("click", () => acts.details(row));
  const use = element("button", { type: "button", class: "use", tabindex: "-1", "aria-label": say("use_named", { name: title }) }, say("use"));
  use.addEventListener("click", () => acts.use(row));
  use.disabled = row.problem !== null;
  const body = element("div", { class: "body" }, element("div", { class: "line" }, name, ...badges(row, title), use), about(row, labels), standing(row), triggers(row));
  const made = element("div", { class: "iig-model", "aria-label": title, "data-name": row.name }, thumb(row), body);
  made.addEventListener("keydown", (event) => event.target === made && event.key === "Enter" && acts.details(row));
  draggable(made, () => row);
  return made;
}

function thumb(row) {
  const shown = row.preview ? picture(previewUrl({ kind: row.kind, name: row.name }), "", "thumb") : element("div", { class: "thumb", "aria-hidden": "true" });
  shown.draggable = false; // the row is dragged, not its picture
  return shown;
}

function about(row, labels) {
  const family = row.family ? labels[row.family] ?? row.family : say("unknown");
  const parts = [family, row.base_model && row.base_model !== family ? row.base_model : "", fileSize(row.size_bytes), licenceWord(row.licence)];
  return element("div", { class: "line quiet" }, parts.filter(Boolean).join(" · "));
}

function standing(row) {
  const strength = strengthText(row.strength);
  const parts = [strength && row.kind === "loras" ? say("strength", { best: strength }) : "", row.uses ? say("uses", { count: row.uses }) : ""];
  if (row.stars !== null) parts.push(say("stars", { stars: row.stars.toFixed(1) }));
  return element("div", { class: "line quiet" }, parts.filter(Boolean).join(" · ") || row.name);
}

function badges(row, title) {
  const made = [];
  if (row.problem) made.push(element("span", { class: "badge bad", title: row.problem }, say("problem")));
  if (row.verification === "verified") made.push(element("span", { class: "badge good" }, say("verified")));
  if (row.verification === "mismatch") made.push(element("span", { class: "badge bad" }, say("mismatch")));
  if (row.nsfw) made.push(element("span", { class: "badge warn" }, say("nsfw")));
  if (row.newer && row.hub_id) {
    const newer = element("button", { type: "button", class: "badge warn", tabindex: "-1", "aria-label": say("get_newer", { name: title }) }, say("newer"));
    newer.addEventListener("click", () => offerDownload(newerRef(row)));
    made.push(newer);
  }
  return made;
}

// What names the newer version at its hub.
export function newerRef({ hub_id: own, newer }) {
  return `${own.replace(/@.*$/, "")}@${newer}`;
}

function triggers(row) {
  const words = row.trigger_groups.flat();
  const chips = words.slice(0, MOST_TRIGGERS).map((word) => {
    const chip = element("button", { type: "button", class: "chip", tabindex: "-1", title: word, "aria-label": say("copy", { word }) }, word);
    chip.addEventListener("click", () => copy(word));
    return chip;
  });
  return element("div", { class: "line" }, ...chips, ...(words.length > MOST_TRIGGERS ? [element("span", { class: "quiet" }, `+${words.length - MOST_TRIGGERS}`)] : []));
}
