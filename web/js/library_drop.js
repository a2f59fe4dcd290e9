// A model that is dropped on the canvas becomes a loader there; what a run lacks is offered for download.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { carried, carries } from "./dragging.mjs";

const NODES = "[data-node-id], .dom-widget"; // what lies over the canvas and belongs to it
let missing = null; // what the running prompt said it lacks, until it is over

function isCanvas(place) {
  return place === app.canvas.canvas || (place.closest?.(NODES) && !place.closest(".iig"));
}

function over(event) {
  if (!carries(event) || !isCanvas(event.target)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
}

async function dropped(event) {
  const model = carries(event) && isCanvas(event.target) ? carried(event) : null;
  if (!model) return;
  event.preventDefault();
  event.stopPropagation(); // the canvas would look for files in it
  const at = app.canvas.convertEventToCanvasOffset(event);
  const { place } = await import("./placing.mjs");
  place(model, at);
}

// Only a run that failed for it opens the panel; one that went on without says so quietly.
async function tell(failed) {
  const wanted = missing;
  missing = null;
  if (wanted?.length) (await import("./downloading.mjs")).offerMissing(wanted, { quietly: !failed });
}

app.registerExtension({
  name: "IntelligentGeneration.LibraryDrop",
  setup() {
    document.addEventListener("dragover", over, true);
    document.addEventListener("drop", dropped, true);
    api.addEventListener("intelligent_generation.missing", ({ detail }) => (missing = detail.wanted));
    api.addEventListener("intelligent_generation.confirm", ({ detail }) => {
      const { ref, name, kind, size_bytes } = detail.file;
      missing = [{ ref, name, kind, size_bytes, search: "", base_models: [], why: detail.title }];
    });
    api.addEventListener("execution_error", () => tell(true));
    api.addEventListener("execution_success", () => tell(false));
    api.addEventListener("execution_start", () => (missing = null));
  },
});
