// Shows what a node of this pack has to say under its widgets: the explanation that came with its last run.
import { app } from "../../../scripts/app.js";

const SPEAKING = new Set(["IIG_AutoPipeline", "IIG_ExplainPlan", "IIG_SaveImage"]);
const HEIGHT = 140; // pixels: the first lines say what was chosen, the rest scrolls

function explanationBox() {
  const box = document.createElement("textarea");
  box.readOnly = true;
  box.setAttribute("aria-label", "explanation");
  Object.assign(box.style, {
    width: "100%", height: "100%", minHeight: `${HEIGHT}px`, resize: "none", boxSizing: "border-box", padding: "6px",
    font: "12px/1.4 sans-serif", color: "var(--input-text)", background: "var(--comfy-input-bg)",
    border: "1px solid var(--border-color)", borderRadius: "6px",
  });
  return box;
}

function show(node, text) {
  if (!node.iigExplanation) {
    const box = explanationBox();
    // A type of our own: newer frontends replace the element of types they know. Never saved with the workflow.
    const widget = node.addDOMWidget("explanation_text", "IIG_EXPLANATION", box, {
      serialize: false, hideOnZoom: false, getMinHeight: () => HEIGHT, getValue: () => box.value, setValue: () => {},
    });
    widget.serialize = false;
    node.iigExplanation = box;
    const size = node.computeSize();
    node.setSize([Math.max(node.size[0], size[0]), Math.max(node.size[1], size[1])]);
  }
  node.iigExplanation.value = text;
  app.graph.setDirtyCanvas(true, true);
}

app.registerExtension({
  name: "IntelligentGeneration.Explanation",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!SPEAKING.has(nodeData.name)) return;
    const before = nodeType.prototype.onExecuted;
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments);
      if (output?.text?.length) show(this, output.text.join(""));
    };
  },
});
