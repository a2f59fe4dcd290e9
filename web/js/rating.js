// Rating where the eyes are: notices pictures of the pack on the canvas and offers ratings as commands with keys. All that
// shows or stores anything is loaded with the first such picture or command.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeById, plannerOf } from "./node_values.mjs";

// One key each, as in programs that sort photographs; ComfyUI has no use for these, and no browser either. Capitals for what
// a slip of the finger should not do.
const KEYS = {
  Rate1: { key: "1" }, Rate2: { key: "2" }, Rate3: { key: "3" }, Rate4: { key: "4" }, Rate5: { key: "5" },
  Like: { key: "l", shift: true }, Dislike: { key: "d", shift: true }, Favourite: { key: "f", shift: true },
  Regenerate: { key: "r", shift: true }, UndoRating: { key: "z", shift: true }, Compare: { key: "c", shift: true },
};
const NAMES = {
  Rate1: ["Rate the picture: 1 star", "star"], Rate2: ["Rate the picture: 2 stars", "star"], Rate3: ["Rate the picture: 3 stars", "star"],
  Rate4: ["Rate the picture: 4 stars", "star"], Rate5: ["Rate the picture: 5 stars", "star"],
  Like: ["Like the picture", "thumbs-up"], Dislike: ["Dislike the picture", "thumbs-down"], Favourite: ["Make the picture a favourite, or no more", "heart"],
  Regenerate: ["Make the picture once more with another seed", "refresh"], UndoRating: ["Take the last rating back", "undo"],
  Compare: ["Compare two pictures", "clone"],
}; // labels for languages without a table in locales/

const MOST_KEPT = 500;
const announced = new Map(); // id of a generation → the node that planned it

function announce({ node, generation }) {
  announced.set(JSON.parse(generation).id, nodeById(node));
  if (announced.size > MOST_KEPT) announced.delete(announced.keys().next().value);
}

app.registerExtension({
  name: "IntelligentGeneration.Rating",
  commands: Object.entries(NAMES).map(([name, [label, icon]]) => ({
    id: `IIG.${name}`, label, icon: `pi pi-${icon}`, function: async () => (await import("./rating_commands.mjs")).run(name),
  })),
  keybindings: Object.entries(KEYS).map(([name, combo]) => ({ combo, commandId: `IIG.${name}` })),
  menuCommands: [{ path: ["Intelligent Generation"], commands: ["IIG.Compare", "IIG.UndoRating"] }],
  setup() {
    api.addEventListener("intelligent_generation.plan", ({ detail }) => announce(detail));
    api.addEventListener("executed", async ({ detail }) => {
      const { images, generation } = detail.output ?? {};
      const node = images?.length ? nodeById(detail.display_node ?? detail.node) : null;
      if (node && (generation || node.iigRating || plannerOf(node))) (await import("./rating_on_nodes.mjs")).shown(node, detail.output, announced);
    });
  },
});
