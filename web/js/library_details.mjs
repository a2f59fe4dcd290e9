// All that is known of one local model, in a dialog: what hubs say, where it lies, and the person's word on its family.
import { ask, element, speaker, toast } from "./speaking.mjs";
import { copy } from "./copying.mjs";
import { open } from "./dialog.mjs";
import { offerDownload } from "./downloading.mjs";
import { kindName } from "./kinds.mjs";
import { newerRef, strengthText } from "./library_row.mjs";
import { licenceWord } from "./licence.mjs";
import { picture, previewUrl } from "./pictures.mjs";
import { fileSize, many, number } from "./sizes.mjs";
import { intoPlan, ontoCanvas } from "./using.mjs";

const say = speaker({
  en: {
    kind: "Kind", name: "Name", family: "Family", base_model: "Base model", version: "Version", creator: "By", size: "Size", licence: "Licence", strength: "Strength", used: "Used", uses: "{count}×, ★ {stars}",
    sha256: "SHA-256", dtype: "Precision", architecture: "Architecture", hub_id: "At its hub", downloads: "Downloads", tags: "Tags", description: "Description", triggers: "Trigger words", folder: "Folder",
    copy_path: "Copy path", copy_folder: "Copy folder", copy: "Copy {word}", page: "Page at the hub", to_plan: "Add to plan", to_canvas: "Add to canvas", update: "Download the newer version",
    correct: "Correct the family", recognised: "As recognised", corrected: "Family noted", refused: "That was not possible", verified: "{sum} (verified)",
  },
  es: {
    kind: "Tipo", name: "Nombre", family: "Familia", base_model: "Modelo base", version: "Versión", creator: "De", size: "Tamaño", licence: "Licencia", strength: "Fuerza", used: "Usos", uses: "{count}×, ★ {stars}",
    sha256: "SHA-256", dtype: "Precisión", architecture: "Arquitectura", hub_id: "En su hub", downloads: "Descargas", tags: "Etiquetas", description: "Descripción", triggers: "Palabras de activación", folder: "Carpeta",
    copy_path: "Copiar ruta", copy_folder: "Copiar carpeta", copy: "Copiar {word}", page: "Página en el hub", to_plan: "Añadir al plan", to_canvas: "Añadir al lienzo", update: "Descargar la versión más nueva",
    correct: "Corregir la familia", recognised: "Según lo reconocido", corrected: "Familia anotada", refused: "No fue posible", verified: "{sum} (verificada)",
  },
});

const STYLE = ".iig-facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 0.75rem; margin: 0; } .iig-facts dt { color: var(--descrip-text); } .iig-facts dd { margin: 0; overflow-wrap: anywhere; } .iig-said { white-space: pre-wrap; max-height: 14rem; overflow: auto; }";

// `families` are {id, label}; `changed()` is called when something of the file is another now.
export async function openDetails(row, families, changed) {
  try {
    const { file } = await ask(`/hub/file?${new URLSearchParams({ kind: row.kind, name: row.name })}`);
    open(file.title || file.name, content(file, families, changed));
  } catch (fault) {
    toast("error", say("refused"), fault.message);
  }
}

function content(file, families, changed) {
  const place = element("div", { style: "display:flex;flex-direction:column;gap:0.75rem" }, element("style", {}, STYLE));
  if (file.preview) place.append(picture(previewUrl({ kind: file.kind, name: file.name }), file.title || file.name, "thumb"));
  if (file.problem) place.append(element("p", { class: "fault" }, file.problem));
  place.append(buttons(file), facts(file, families), triggers(file), family(file, families, changed), whereabouts(file));
  if (file.description) place.append(section("description", element("p", { class: "iig-said" }, file.description)));
  if (file.tags.length) place.append(section("tags", element("div", { class: "chips" }, ...file.tags.map((tag) => element("span", { class: "chip" }, tag)))));
  return place;
}

function section(key, ...children) {
  return element("section", { "aria-label": say(key) }, element("h3", {}, say(key)), ...children);
}

function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

function buttons(file) {
  const made = element("div", { class: "buttons" });
  if (file.kind === "loras") made.append(button(say("to_plan"), () => intoPlan(file)));
  made.append(button(say("to_canvas"), () => ontoCanvas(file)));
  if (file.newer && file.hub_id) made.append(button(say("update"), () => offerDownload(newerRef(file))));
  if (file.page_url) made.append(element("a", { href: file.page_url, target: "_blank", rel: "noopener noreferrer" }, say("page")));
  return made;
}

function facts(file, families) {
  const label = families.find(({ id }) => id === file.family)?.label ?? file.family ?? "";
  const told = {
    kind: kindName(file.kind), name: file.name, family: label && `${label} (${Math.round(100 * file.confidence)} %)`, base_model: file.base_model, version: file.version, creator: file.creator,
    size: fileSize(file.size_bytes), licence: licenceWord(file.licence), strength: strengthText(file.strength), used: (file.uses || file.rated) && say("uses", { count: file.uses, stars: file.stars === null ? "–" : number(file.stars, 1) }),
    sha256: file.sha256 && (file.verification === "verified" ? say("verified", { sum: file.sha256 }) : file.sha256), dtype: file.dtype, architecture: file.architecture, hub_id: file.hub_id,
    downloads: file.downloads ? many(file.downloads) : "",
  };
  const rows = Object.entries(told).filter(([, value]) => value).flatMap(([key, value]) => [element("dt", {}, say(key)), element("dd", {}, value)]);
  return element("dl", { class: "iig-facts" }, ...rows);
}

function triggers({ trigger_groups: groups }) {
  if (!groups.length) return "";
  const chip = (text) => {
    const made = element("button", { type: "button", class: "chip", "aria-label": say("copy", { word: text }) }, text);
    made.addEventListener("click", () => copy(text));
    return made;
  };
  return section("triggers", element("div", { class: "chips" }, ...groups.map((group) => chip(group.join(", ")))));
}

function family(file, families, changed) {
  const chosen = element("select", { "aria-label": say("correct") }, element("option", { value: "" }, say("recognised")));
  for (const { id, label } of families) if (label) chosen.append(element("option", { value: id }, label));
  chosen.value = file.confidence === 1 ? file.family ?? "" : "";
  chosen.addEventListener("change", async () => {
    try {
      await ask("/family", { kind: file.kind, name: file.name, family: chosen.value || null });
      toast("success", say("corrected"), "", 2500);
      changed();
    } catch (fault) {
      toast("error", say("refused"), fault.message);
    }
  });
  return section("correct", chosen);
}

// Where the file lies is told on the computer it lies on only.
function whereabouts({ kind, name }) {
  const told = element("p", { class: "quiet" }), acts = element("div", { class: "buttons" });
  ask(`/hub/place?${new URLSearchParams({ kind, name })}`).then(({ path, folder }) => {
    told.textContent = path;
    acts.append(button(say("copy_folder"), () => copy(folder)), button(say("copy_path"), () => copy(path)));
  }, (fault) => (told.textContent = fault.message));
  return section("folder", told, acts);
}
