// Lists and controls that are brought up to date in place: what is being edited is never rebuilt, so focus, caret and
// scroll position stay where they are.

// Bring `list` to show `items`: each is made once per key by `make(item)` → {element, update(item)} and updated afterwards.
export function keyedList(list, make) {
  const shown = new Map();
  return (items, keyOf) => {
    const keys = new Set(items.map(keyOf));
    for (const [key, { element }] of shown) if (!keys.has(key)) element.remove(), shown.delete(key);
    items.forEach((item, at) => {
      const key = keyOf(item);
      if (!shown.has(key)) shown.set(key, make(item));
      const { element, update } = shown.get(key);
      update(item);
      if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
    });
  };
}

// Set what a control holds, unless the person is typing in it; then it follows when they leave.
export function setControl(control, value) {
  const text = String(value ?? "");
  if (control === document.activeElement && control.type !== "range" && control.tagName !== "SELECT") {
    control.dataset.later = text;
    return;
  }
  delete control.dataset.later;
  if (control.value !== text) control.value = text;
}

// A control that was typed in while an answer came shows the answer once it is left, if it was not changed since.
export function following(control) {
  control.addEventListener("input", () => delete control.dataset.later);
  control.addEventListener("blur", () => "later" in control.dataset && setControl(control, control.dataset.later));
  return control;
}

export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// Several sentences, one paragraph each; untouched where they are the same.
export function setLines(place, lines, make) {
  const key = JSON.stringify(lines);
  if (place.dataset.lines === key) return;
  place.dataset.lines = key;
  place.replaceChildren(...lines.map(make));
}

// Sentences of which the first is enough for most: the others are unfolded with `summary`.
export function folded() {
  const first = document.createElement("p"), more = document.createElement("div"), summary = document.createElement("summary");
  const details = document.createElement("details"), place = document.createElement("div");
  place.className = "quiet small";
  details.append(summary, more);
  place.append(first, details);
  const paragraph = (text) => Object.assign(document.createElement("p"), { textContent: text });
  const update = (lines, words) => {
    setText(first, lines[0] ?? "");
    setText(summary, words);
    details.hidden = lines.length < 2;
    setLines(more, lines.slice(1), paragraph);
  };
  return { element: place, update };
}
