// From a wish for a model to its file: what it is, from whom, how large, under which licence, with which sum; then, at the
// person's word, the download. Also: what a run lacks, and where to get it.
import { ask, element, speaker, toast } from "./speaking.mjs";
import { confirm } from "./dialog.mjs";
import { arrival, refresh, take } from "./following.mjs";
import { show } from "./showing.mjs";
import { fileSize } from "./sizes.mjs";
import { licenceWord } from "./licence.mjs";

const say = speaker({
  en: {
    title: "Download {name}?", yes: "Download", source: "Source", creator: "By", file: "File", size: "Size", licence: "Licence",
    sha256: "SHA-256", folder: "Folder", fit: "Fit", no_hash: "The hub gives none: the file cannot be verified", which: "Which file",
    pickle: "This file can run code when it is loaded. I trust its creator.", nothing: "Nothing to download here",
    nothing_hint: "None of this model's files can be used in ComfyUI. Look for another one in the Hub view.", page: "Page at the hub",
    refused: "The download could not begin", begun: "Downloading {name}", here: "{name} is already here", gated: "The hub wants you to accept its terms there first, with your key in the settings.",
    fits: "fits this machine", fits_with_care: "fits with care", does_not_fit: "does not fit this machine", have_it: "you have it", unknown: "fit unknown",
    missing: "A model is missing", missing_hint: "{names}: see the Hub view of the Intelligent Generation panel.", unknown_value: "not known",
    other: "These are other bytes than the plan was made with: its picture may come out differently, and the plan asks for consent anew.",
  },
  es: {
    title: "¿Descargar {name}?", yes: "Descargar", source: "Origen", creator: "De", file: "Archivo", size: "Tamaño", licence: "Licencia",
    sha256: "SHA-256", folder: "Carpeta", fit: "Encaje", no_hash: "El hub no da ninguna: el archivo no se puede verificar", which: "Qué archivo",
    pickle: "Este archivo puede ejecutar código al cargarse. Confío en quien lo creó.", nothing: "Aquí no hay nada que descargar",
    nothing_hint: "Ningún archivo de este modelo se puede usar en ComfyUI. La vista Hub permite buscar otro.", page: "Página en el hub",
    refused: "La descarga no pudo empezar", begun: "Descargando {name}", here: "{name} ya está aquí", gated: "El hub pide aceptar antes sus condiciones allí, con la clave propia en los ajustes.",
    fits: "cabe en esta máquina", fits_with_care: "cabe con cuidado", does_not_fit: "no cabe en esta máquina", have_it: "ya está aquí", unknown: "no se sabe si cabe",
    missing: "Falta un modelo", missing_hint: "{names}: véase la vista Hub del panel de Intelligent Generation.", unknown_value: "no se sabe",
    other: "No son los mismos bytes con que se hizo el plan: su imagen puede salir distinta y el plan pedirá consentimiento de nuevo.",
  },
});

export function fitWord(verdict) {
  return say(verdict);
}

// Ask for a file by its hub's reference, or as `wanted` names it, then fetch it. → the download when its file is here (its
// state is "done" or "have_it"), `null` where it was declined, failed or cancelled. Without a reference the Hub view searches.
export async function offerDownload(wanted) {
  const { ref, kind, sha256 } = typeof wanted === "string" ? { ref: wanted } : wanted;
  if (!ref) return show("hub", { wanted: [wanted] }), null;
  try {
    const offer = await ask(`/hub/offer?${new URLSearchParams({ ref })}`);
    return await confirmed(offer, kind, sha256);
  } catch (fault) {
    toast("error", say("refused"), fault.message, 15000);
    return null;
  }
}

// What a run lacked: the Hub view with the offers; `quietly` says it in a toast instead.
export function offerMissing(wanted, { quietly = false } = {}) {
  if (quietly) toast("info", say("missing"), say("missing_hint", { names: wanted.map(({ name }) => name).join(", ") }), 12000);
  else show("hub", { wanted });
}

// `sum` is the SHA-256 that the file should have, where that is known.
async function confirmed(offer, kind, sum) {
  const files = offer.files.filter((each) => !kind || each.kind === kind);
  const choices = files.length ? files : offer.files;
  if (!choices.length) return toast("warn", say("nothing"), say("nothing_hint"), 12000), null;
  let chosen = choices.find(({ sha256 }) => sum && sha256 === sum) ?? choices.find(({ ref }) => ref === offer.chosen) ?? choices[0];
  if (chosen.fit.verdict === "have_it" && choices.length === 1) return toast("info", say("here", { name: chosen.fit.have || chosen.name })), { ...chosen, state: "have_it" };
  const asked = question(offer, choices, chosen, sum, (each) => (chosen = each));
  if (!(await confirm(say("title", { name: offer.title }), [asked.element], say("yes"), asked.ready))) return null;
  return order(chosen, asked.isTrusted());
}

async function order(file, isTrusted) {
  const { download } = await ask("/hub/downloads", {
    ref: file.ref, kind: file.kind, confirmed: true, ...(file.sha256 && { sha256: file.sha256 }), ...(file.pickle && { allow_pickle: isTrusted }),
  });
  take(download); // first: by the time the list is here a small file may be, too
  await refresh();
  toast("info", say("begun", { name: download.name }), "", 4000);
  return arrival(download.id);
}

// What is about to be fetched, for the person to agree to.
function question(offer, choices, chosen, sum, choose) {
  const facts = element("dl", { class: "iig-facts" }), warnings = element("div", { role: "status" });
  const trust = element("input", { type: "checkbox" });
  const trusting = element("label", { class: "fault" }, trust, ` ${say("pickle")}`);
  const listeners = new Set();
  let file = chosen;
  const show = () => {
    facts.replaceChildren(...Object.entries(about(offer, file)).flatMap(([key, value]) => [element("dt", {}, say(key)), element("dd", {}, value)]));
    warnings.replaceChildren(...file.fit.reasons.map((reason) => element("p", { class: "quiet" }, reason)));
    if (sum && file.sha256 && file.sha256 !== sum) warnings.append(element("p", { class: "fault" }, say("other")));
    if (offer.gated) warnings.append(element("p", { class: "fault" }, say("gated")));
    trusting.hidden = !file.pickle;
    for (const hear of listeners) hear();
  };
  const picked = select(choices, file, (each) => (choose((file = each)), show()));
  trust.addEventListener("change", show);
  show();
  const page = offer.page_url && element("a", { href: offer.page_url, target: "_blank", rel: "noopener noreferrer" }, say("page"));
  const place = element("div", { style: "display:flex;flex-direction:column;gap:0.5rem" }, element("style", {}, STYLE), ...(choices.length > 1 ? [picked] : []), facts, warnings, trusting, ...(page ? [page] : []));
  const ready = (hear) => (listeners.add(() => hear(!file.pickle || trust.checked)), hear(!file.pickle || trust.checked));
  return { element: place, ready, isTrusted: () => trust.checked };
}

const STYLE = ".iig-facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 0.75rem; margin: 0; } .iig-facts dt { color: var(--descrip-text); } .iig-facts dd { margin: 0; overflow-wrap: anywhere; }";

function about(offer, file) {
  return {
    source: file.ref,
    creator: offer.creator || say("unknown_value"),
    file: file.name,
    size: fileSize(file.size_bytes),
    licence: licenceWord(offer.licence),
    sha256: file.sha256 ?? say("no_hash"),
    folder: `models/${file.kind}`,
    fit: say(file.fit.verdict),
  };
}

function select(choices, chosen, choose) {
  const made = element("select", { "aria-label": say("which") });
  for (const [place, { name, size_bytes, fit }] of choices.entries()) made.append(element("option", { value: place }, `${name} · ${fileSize(size_bytes)} · ${say(fit.verdict)}`));
  made.value = choices.indexOf(chosen);
  made.addEventListener("change", () => choose(choices[made.value]));
  return made;
}
