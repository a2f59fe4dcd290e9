// One model of a hub as a card: what it is, whose, how popular, under which licence, and whether it fits this machine.
import { element, speaker } from "./speaking.mjs";
import { fitWord, offerDownload } from "./downloading.mjs";
import { licenceWord } from "./licence.mjs";
import { picture, previewUrl } from "./pictures.mjs";
import { kindName } from "./kinds.mjs";
import { fileSize, many } from "./sizes.mjs";

const say = speaker({
  en: {
    by: "by {creator}", downloads: "{count} downloads", likes: "{count} likes", get: "Download", get_named: "Download {name}", details: "Details of {name}", have: "you have it: {name}",
    nsfw: "NSFW", gated: "terms first", early: "early access", none: "no file for ComfyUI", unlicensed: "licence not known", why: "Why", huggingface: "Hugging Face", civitai: "CivitAI", templates: "ComfyUI templates",
  },
  es: {
    by: "de {creator}", downloads: "{count} descargas", likes: "{count} me gusta", get: "Descargar", get_named: "Descargar {name}", details: "Detalles de {name}", have: "ya está aquí: {name}",
    nsfw: "NSFW", gated: "condiciones antes", early: "acceso anticipado", none: "ningún archivo para ComfyUI", unlicensed: "licencia desconocida", why: "Por qué", huggingface: "Hugging Face", civitai: "CivitAI", templates: "Plantillas de ComfyUI",
  },
});

const TONE = { fits: "good", have_it: "good", fits_with_care: "warn", does_not_fit: "bad", unknown: "" };
export const HUBS = ["civitai", "huggingface", "templates"];

export function hubName(hub) {
  return say(hub);
}

export function fitBadge(fit) {
  return element("span", { class: `badge ${TONE[fit.verdict]}`, title: fit.reasons.join("\n") }, fitWord(fit.verdict));
}

export function hubCard(offer, details) {
  const head = element("button", { type: "button", class: "bare", style: "font-weight:600;text-align:start;padding:0;overflow-wrap:anywhere", "aria-label": say("details", { name: offer.title }) }, offer.title);
  head.addEventListener("click", () => details(offer));
  const body = element("div", { style: "flex:1;min-width:0;display:flex;flex-direction:column;gap:0.2rem" }, element("div", { class: "chips" }, head, ...marks(offer)), line(about(offer)), line(popularity(offer)), fitting(offer));
  const card = element("li", { class: "card", style: "flex-direction:row;gap:0.6rem", "data-ref": offer.ref }, thumb(offer), body);
  return card;
}

function thumb(offer) {
  return offer.preview ? picture(previewUrl({ ref: offer.ref }), "", "thumb") : element("div", { class: "thumb", "aria-hidden": "true" });
}

function line(parts) {
  return element("span", { class: "quiet", style: "font-size:0.78rem;overflow-wrap:anywhere" }, parts.filter(Boolean).join(" · "));
}

function marks(offer) {
  const mark = (key) => element("span", { class: "badge warn" }, say(key));
  return [...(offer.nsfw ? [mark("nsfw")] : []), ...(offer.gated ? [mark("gated")] : []), ...(offer.early_access ? [mark("early")] : [])];
}

function about(offer) {
  return [hubName(offer.hub), offer.creator && say("by", offer), offer.kind && kindName(offer.kind), offer.base_model, offer.version];
}

function popularity(offer) {
  const size = offer.file ? fileSize(offer.file.size_bytes) : "";
  const liked = ["downloads", "likes"].map((key) => offer[key] && say(key, { count: many(offer[key]) })); // 0 is often: not told
  const isLicensed = offer.licence.name || offer.licence.commercial_use != null;
  return [...liked, isLicensed ? licenceWord(offer.licence) : say("unlicensed"), size];
}

function fitting(offer) {
  const { file } = offer;
  if (!file) return element("span", { class: "quiet" }, say("none"));
  const row = element("div", { class: "row" }, fitBadge(file.fit));
  if (file.fit.verdict === "have_it") row.append(element("span", { class: "quiet" }, say("have", { name: file.fit.have || file.name })));
  else row.append(getButton(file.ref, offer.title));
  const reasons = file.fit.reasons.map((reason) => element("p", { class: "quiet" }, reason));
  return reasons.length ? element("div", {}, row, element("details", {}, element("summary", { class: "quiet" }, say("why")), ...reasons)) : row;
}

export function getButton(ref, name) {
  const made = element("button", { type: "button", class: "main", "aria-label": say("get_named", { name }) }, say("get"));
  made.addEventListener("click", () => offerDownload(ref));
  return made;
}
