// Pictures that leave the page: what is downloaded counts as saved, what is copied or exported as shared, whichever button or
// menu did it.
import { app } from "../../../scripts/app.js";
import { act } from "./standings.mjs";
import { speaker, toast } from "./speaking.mjs";
import { partsOf, pictureUrl } from "./pictures.mjs";

const say = speaker({
  en: {
    copied: "Copied", not_copied: "The picture could not be copied", copying: "The browser lets no page copy here. Open the picture in a new tab and copy it there.",
    gone: "The picture is no longer in the output folder.", not_saved: "The picture could not be saved",
  },
  es: {
    copied: "Copiada", not_copied: "No se pudo copiar la imagen", copying: "El navegador no deja copiar aquí. Se puede abrir la imagen en una pestaña nueva y copiarla allí.",
    gone: "La imagen ya no está en la carpeta de salida.", not_saved: "No se pudo guardar la imagen",
  },
});
const MOST_KEPT = 2000;
const COPY = new Set(["Copy Image", "Copiar Imagen", "Copiar imagen"]); // as ComfyUI names it in its menus

const ids = new Map(); // "type/subfolder/filename" → generation
let watching = false;

// Know from now on whose picture this is: {filename, subfolder, type}.
export function remember(image, id) {
  ids.delete(keyOf(image));
  ids.set(keyOf(image), id);
  if (ids.size > MOST_KEPT) ids.delete(ids.keys().next().value);
  if (watching) return;
  watching = true;
  document.addEventListener("click", noticeDownload, true); // ComfyUI saves by a link that it makes and clicks
  document.addEventListener("click", noticeEntry, true);
}

function keyOf({ filename, subfolder = "", type = "output" }) {
  return `${type}/${subfolder}/${filename}`;
}

function noticeDownload({ target }) {
  const link = target.closest?.("a[download]");
  if (!link) return;
  const asked = new URL(link.href, location.href).searchParams;
  const id = ids.get(keyOf({ filename: asked.get("filename"), subfolder: asked.get("subfolder") ?? "", type: asked.get("type") ?? "output" }));
  if (id) act(id, "saved");
}

// "Copy Image" in a node's classic menu: the entry itself is followed.
export function watchCopies(node, idNow) {
  const before = node.getExtraMenuOptions;
  node.getExtraMenuOptions = function (canvas, options) {
    const made = before?.apply(this, arguments);
    for (const option of options ?? []) if (COPY.has(option?.content)) option.callback = after(option.callback, () => note(idNow(), "shared"));
    return made;
  };
}

function after(callback, then) {
  return function (...told) {
    const made = callback?.apply(this, told);
    then();
    return made;
  };
}

function note(id, action) {
  if (id) act(id, action);
}

// The menu of Nodes 2.0 asks no node for its entries: there the selected node is meant.
function noticeEntry({ target }) {
  const entry = target.closest?.("[role=menuitem]");
  if (!entry || !COPY.has(entry.textContent.trim())) return;
  const nodes = Object.values(app.canvas?.selected_nodes ?? {});
  if (nodes.length === 1) note(nodes[0].iigRating?.id, "shared");
}

// --------------------------------------------------------------------------- the buttons of our own

// To the person's disk: noticed as any download is.
export function save(name, id) {
  remember(partsOf(name), id);
  const link = document.createElement("a");
  Object.assign(link, { href: pictureUrl(name), download: partsOf(name).filename });
  document.body.append(link);
  link.click();
  link.remove();
}

export async function copy(name, id) {
  if (!window.ClipboardItem || !navigator.clipboard?.write) return toast("warn", say("not_copied"), say("copying"));
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blobOf(name) })]);
  } catch (fault) {
    return toast("error", say("not_copied"), fault.message === "gone" ? say("gone") : say("copying"));
  }
  toast("success", say("copied"), "", 3000);
  act(id, "shared");
}

// The picture with its plan beside it, for another person or program: two files.
export async function exportWithPlan(name, id, plan) {
  remember(partsOf(name), id);
  const { filename } = partsOf(name);
  const text = new Blob([JSON.stringify(plan, null, 2)], { type: "application/json" });
  try {
    await blobOf(name);
  } catch {
    return toast("error", say("not_saved"), say("gone"));
  }
  for (const [href, download] of [[pictureUrl(name), filename], [URL.createObjectURL(text), filename.replace(/\.\w+$/, ".plan.json")]]) {
    const link = document.createElement("a");
    Object.assign(link, { href, download });
    link.click(); // not in the page, so not noticed: exporting is sharing
    setTimeout(() => href.startsWith("blob:") && URL.revokeObjectURL(href), 10_000);
  }
  act(id, "shared");
}

async function blobOf(name) {
  const answer = await fetch(pictureUrl(name));
  if (!answer.ok) throw new Error("gone");
  return answer.blob();
}
