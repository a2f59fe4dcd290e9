// Which view of the sidebar panel is shown, and with what: any module may ask for one, the panel alone draws it.
import { app } from "../../../scripts/app.js";

const TAB = "intelligent-generation";
const KEEP = "IIG.Panel.View"; // in the browser's own store: the view that was open last
const listeners = new Set();
let wanted = null; // {id, argument} until the panel took it

export const PANEL = TAB;

export function lastView() {
  return localStorage.getItem(KEEP);
}

export function keepView(id) {
  localStorage.setItem(KEEP, id);
}

function isPanelOpen() {
  return app.extensionManager.sidebarTab?.activeSidebarTabId === TAB;
}

// Open the panel on a view; `argument` is handed to the view's `open(place, argument)`.
export function show(id, argument) {
  wanted = { id, argument };
  if (!isPanelOpen()) app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${TAB}`);
  for (const listener of listeners) listener();
}

// What was asked for since the panel last looked; `null` where nothing was.
export function takeWanted() {
  const taken = wanted;
  wanted = null;
  return taken;
}

export function onWanted(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
