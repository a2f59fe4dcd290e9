// What is dragged out of the library: a local model by kind and name, so that whoever it is dropped on knows it.
export const TYPE = "application/x-intelligent-generation-model";

// Make `source` something to drag; `what` gives {kind, name} when it begins.
export function draggable(source, what) {
  source.draggable = true;
  source.addEventListener("dragstart", (event) => {
    const { kind, name } = what();
    event.dataTransfer.setData(TYPE, JSON.stringify({ kind, name }));
    event.dataTransfer.setData("text/plain", name);
    event.dataTransfer.effectAllowed = "copy";
  });
}

// Whether a model is being dragged; while it is, nobody may look at which.
export function carries(event) {
  return event.dataTransfer?.types.includes(TYPE) ?? false;
}

// {kind, name} of what was dropped; `null` where it is no model of the library.
export function carried(event) {
  const text = event.dataTransfer?.getData(TYPE);
  if (!text) return null;
  const { kind, name } = JSON.parse(text);
  return typeof kind === "string" && typeof name === "string" ? { kind, name } : null;
}

// Have models of one kind dropped on `place`: `take(name)` is told each.
export function acceptDrops(place, kind, take) {
  place.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation();
    place.classList.remove("over");
    const model = carried(event);
    if (model?.kind === kind) take(model.name);
  });
}
