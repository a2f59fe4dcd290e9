// The prompt as the model gets it, its trigger words marked, and the negative prompt, which can be rewritten.
import { edit, recordOf } from "./reviewing.mjs";
import { following, setControl, setLines, setText } from "./keyed_list.mjs";
import { element, speaker } from "./speaking.mjs";

const ROWS = 3;

const say = speaker({
  en: { prompt: "Prompt as sent", negative: "Negative prompt", ignored: "This model takes no notice of it with these settings.", marked: "Marked: trigger words of the LoRAs." },
  es: { prompt: "Prompt tal como se envía", negative: "Prompt negativo", ignored: "Con estos ajustes, este modelo no lo tiene en cuenta.", marked: "Marcado: palabras de activación de las LoRA." },
});

export function prompts(node) {
  const sent = element("h3", {}), not = element("h3", { id: "iig-review-negative" });
  const text = element("div", { class: "iig-prompt", tabindex: "0" }), legend = element("p", { class: "quiet small" });
  const negative = following(element("textarea", { rows: ROWS, "aria-labelledby": not.id, "data-setting": "negative" }));
  const note = element("p", { class: "quiet small" }), fault = element("p", { class: "fault", role: "alert" });
  negative.addEventListener("input", () => edit(node, { negative: negative.value }, "negative"));
  const place = element("section", {}, sent, text, legend, not, negative, note, fault);
  const update = ({ review, fault: failed }) => {
    const words = review.loras.filter(({ on }) => on).flatMap(({ triggers }) => triggers.filter((each) => each.on).map(({ word }) => word));
    const pieces = marked(review.prompt, words);
    setText(sent, say("prompt"));
    setText(not, say("negative"));
    text.setAttribute("aria-label", say("prompt"));
    setLines(text, pieces, ([piece, isMarked]) => (isMarked ? element("mark", {}, piece) : piece));
    legend.hidden = !pieces.some(([, isMarked]) => isMarked);
    setText(legend, say("marked"));
    if (recordOf(node).pending?.negative === undefined) setControl(negative, review.negative);
    note.hidden = review.negative_matters;
    setText(note, say("ignored"));
    setText(fault, failed?.at === "negative" ? failed.message : "");
  };
  return { element: place, update };
}

// The text in pieces [piece, is it one of the words], longest words first.
function marked(text, words) {
  const plain = [...new Set(words)].filter(Boolean).sort((a, b) => b.length - a.length).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!plain.length) return [[text, false]];
  const parts = text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${plain.join("|")})(?![\\p{L}\\p{N}])`, "giu"));
  return parts.map((piece, at) => [piece, at % 2 === 1]).filter(([piece]) => piece);
}
