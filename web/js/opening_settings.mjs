// ComfyUI's settings opened at the pack's own page. The dialog takes no page by command, so the page is chosen as a person
// would; where that finds nothing, the dialog is open all the same.
import { app } from "../../../scripts/app.js";

const PAGE = "Intelligent Generation";
const PATIENCE_MS = 3000, LOOK_MS = 100;

export async function openSettings() {
  await app.extensionManager.command.execute("Comfy.ShowSettingsDialog");
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const entry = [...document.querySelectorAll("[role=dialog] [role=option], [role=dialog] nav button, [role=dialog] nav [role=button]")].find(
      (each) => each.textContent.trim() === PAGE,
    );
    if (entry) return entry.click();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
