// Where pictures are had: what was made, from ComfyUI; previews of models, from the pack, as images only.
import { api } from "../../../scripts/api.js";

const PATH = "/intelligent_generation";
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="; // one clear pixel: no sign of a broken image

// A picture as the server names it: "folder/name.png" below the output folder, or {filename, subfolder, type}.
export function pictureUrl(named) {
  const { filename, subfolder = "", type = "output" } = typeof named === "string" ? partsOf(named) : named;
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

// The preview of a local model {kind, name}, or of what a hub offers {ref}; where there is none the image fails, and nothing
// in the browser's console tells of it.
export function previewUrl(which) {
  return api.apiURL(`${PATH}/hub/preview?${new URLSearchParams({ ...which, quiet: true })}`);
}

// An image that is a plain box where there is nothing to see.
export function picture(src, alt, className = "") {
  const image = new Image();
  Object.assign(image, { loading: "lazy", decoding: "async", alt, className });
  image.addEventListener("error", () => Object.assign(image, { src: NOTHING, alt: "" }), { once: true });
  image.src = src;
  return image;
}

// Where a picture that the server names by its path lies below the output folder.
export function partsOf(path) {
  const cut = path.lastIndexOf("/");
  return { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(cut, 0)), type: "output" };
}
