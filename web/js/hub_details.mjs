// One model of a hub in a dialog: its versions, every file with its fit, trigger words, licence, description, its page.
import { ask, element, speaker } from "./speaking.mjs";
import { copy } from "./copying.mjs";
import { open } from "./dialog.mjs";
import { fitBadge, getButton, hubName } from "./hub_card.mjs";
import { licenceWord } from "./licence.mjs";
import { picture, previewUrl } from "./pictures.mjs";
import { fileSize } from "./sizes.mjs";

const say = speaker({
  en: { versions: "Version", files: "Files", none: "No file of this version can be used in ComfyUI.", triggers: "Trigger words", description: "Description", page: "Page at the hub", licence: "Licence: {name}", loading: "Asking the hub…", copy: "Copy {word}", about: "{hub} · {creator} · {base}" },
  es: { versions: "Versión", files: "Archivos", none: "Ningún archivo de esta versión se puede usar en ComfyUI.", triggers: "Palabras de activación", description: "Descripción", page: "Página en el hub", licence: "Licencia: {name}", loading: "Preguntando al hub…", copy: "Copiar {word}", about: "{hub} · {creator} · {base}" },
});

export function openOffer({ ref, title }) {
  const place = element("div", { style: "display:flex;flex-direction:column;gap:0.75rem;min-width:min(30rem,80vw)" });
  const show = async (wanted) => {
    place.replaceChildren(element("p", { class: "quiet", role: "status" }, say("loading")));
    try {
      place.replaceChildren(...content(await ask(`/hub/offer?${new URLSearchParams({ ref: wanted })}`), show));
    } catch (fault) {
      place.replaceChildren(element("p", { class: "fault", role: "alert" }, fault.message));
    }
  };
  show(ref);
  return open(title, place);
}

function content(offer, show) {
  const about = element("p", { class: "quiet" }, say("about", { hub: hubName(offer.hub), creator: offer.creator || "–", base: offer.base_model || "–" }));
  const parts = [about, ...(offer.preview ? [picture(previewUrl({ ref: offer.ref }), offer.title, "thumb")] : []), versions(offer, show), files(offer)];
  parts.push(element("p", {}, say("licence", { name: licenceWord(offer.licence) })));
  if (offer.trigger_groups.length) parts.push(section("triggers", element("div", { class: "chips" }, ...offer.trigger_groups.map((group) => chip(group.join(", "))))));
  if (offer.page_url) parts.push(element("a", { href: offer.page_url, target: "_blank", rel: "noopener noreferrer" }, say("page")));
  if (offer.description) parts.push(section("description", element("p", { style: "white-space:pre-wrap;max-height:14rem;overflow:auto" }, offer.description)));
  return parts;
}

function section(key, ...children) {
  return element("section", { "aria-label": say(key) }, element("h3", {}, say(key)), ...children);
}

function versions(offer, show) {
  const model = offer.ref.replace(/@.*$/, ""), own = offer.ref.slice(model.length + 1);
  const all = [{ id: own, name: offer.version, base_model: offer.base_model }, ...offer.versions.filter(({ id }) => id !== own)];
  if (all.length === 1) return "";
  const chosen = element("select", { "aria-label": say("versions") }, ...all.map((each) => element("option", { value: each.id }, [each.name || each.id, each.base_model].filter(Boolean).join(" · "))));
  chosen.addEventListener("change", () => show(`${model}@${chosen.value}`));
  return section("versions", chosen);
}

function files(offer) {
  const rows = offer.files.map((file) => {
    const head = element("div", { class: "row" }, element("strong", { style: "overflow-wrap:anywhere" }, file.name), fitBadge(file.fit));
    const told = element("span", { class: "quiet" }, [fileSize(file.size_bytes), file.precision, `models/${file.kind}`].filter(Boolean).join(" · "));
    const reasons = file.fit.reasons.map((reason) => element("p", { class: "quiet" }, reason));
    const get = file.fit.verdict === "have_it" ? [] : [element("div", { class: "buttons" }, getButton(file.ref, file.name))];
    return element("li", { class: "card" }, head, told, ...reasons, ...get);
  });
  return section("files", rows.length ? element("ul", {}, ...rows) : element("p", { class: "quiet" }, say("none")));
}

function chip(text) {
  const made = element("button", { type: "button", class: "chip", "aria-label": say("copy", { word: text }) }, text);
  made.addEventListener("click", () => copy(text));
  return made;
}
