import { element } from "./speaking.mjs";

export function open(place) {
  place.replaceChildren(element("div", { class: "iig view" }));
  return () => {};
}
