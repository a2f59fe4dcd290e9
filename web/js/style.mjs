// The look all views and cards share, from the theme's variables: light and dark follow by themselves.
const ID = "iig-style";

const SHEET = `
.iig { color: var(--input-text); font-size: 0.85rem; line-height: 1.4; box-sizing: border-box; }
.iig *, .iig *::before { box-sizing: border-box; }
.iig [hidden] { display: none !important; }
.iig.view { padding: 0.75rem; display: flex; flex-direction: column; gap: 0.75rem; min-height: 100%; }
.iig h2 { font-size: 1.05rem; margin: 0; font-weight: 600; }
.iig h3 { font-size: 0.9rem; margin: 0 0 0.25rem; font-weight: 600; }
.iig ul { list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column; gap: 0.35rem; }
.iig li, .iig p { overflow-wrap: anywhere; margin: 0; }
.iig a { color: var(--p-primary-color, #60a5fa); }
.iig .quiet { color: var(--descrip-text); }
.iig .fault { color: var(--error-text, #f87171); }
.iig .row { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.25rem 0.75rem; }
.iig .buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.iig .card { border: 1px solid var(--border-color); border-radius: 0.5rem; padding: 0.6rem; display: flex; flex-direction: column;
  gap: 0.4rem; background: var(--comfy-menu-bg); }
.iig button, .iig select, .iig input:not([type=range]):not([type=checkbox]), .iig textarea { font: inherit; padding: 0.35rem 0.6rem;
  border-radius: 0.4rem; border: 1px solid var(--border-color); background: var(--comfy-input-bg); color: var(--input-text); max-width: 100%; min-width: 0; }
.iig .row > * { min-width: 0; }
.iig button { cursor: pointer; }
.iig button.main { background: var(--p-primary-color, #60a5fa); border-color: transparent; color: var(--p-primary-contrast-color, #09090b); font-weight: 600; }
.iig button.bare { border-color: transparent; background: transparent; padding: 0.15rem 0.35rem; }
.iig button:hover:not(:disabled) { filter: brightness(1.15); }
.iig button:disabled { opacity: 0.5; cursor: default; }
.iig :is(button, select, input, textarea, a, summary, [tabindex]):focus-visible { outline: 2px solid var(--p-primary-color, #60a5fa); outline-offset: 1px; }
.iig [aria-pressed=true] { border-color: var(--p-primary-color, #60a5fa); box-shadow: inset 0 0 0 1px var(--p-primary-color, #60a5fa); }
.iig input[type=range] { accent-color: var(--p-primary-color, #60a5fa); min-width: 6rem; flex: 1; }
.iig textarea { width: 100%; resize: vertical; }
.iig .bar { height: 0.3rem; border-radius: 0.15rem; background: var(--border-color); overflow: hidden; }
.iig .bar > div { height: 100%; background: var(--p-primary-color, #60a5fa); }
.iig .chip { display: inline-flex; align-items: center; gap: 0.25rem; padding: 0.05rem 0.5rem; border-radius: 1rem; border: 1px solid var(--border-color);
  background: var(--comfy-input-bg); font-size: 0.78rem; }
.iig .chips { display: flex; flex-wrap: wrap; gap: 0.3rem; }
.iig .badge { padding: 0.05rem 0.4rem; border-radius: 0.3rem; font-size: 0.75rem; border: 1px solid currentColor; }
.iig .badge.good { color: #16a34a; } .iig .badge.warn { color: #d97706; } .iig .badge.bad { color: #ef4444; }
.iig .thumb { width: 3.5rem; height: 3.5rem; flex: none; object-fit: cover; border-radius: 0.35rem; background: var(--border-color); }
.iig img.missing { visibility: hidden; }
.iig .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.iig-tabs { display: flex; flex-wrap: wrap; gap: 0 0.1rem; padding: 0.3rem 0.4rem 0; border-bottom: 1px solid var(--border-color); }
.iig-tabs button { font: inherit; font-size: 0.8rem; padding: 0.25rem 0.4rem; border: 0; border-bottom: 2px solid transparent; background: none;
  color: var(--input-text); cursor: pointer; }
.iig-tabs button[aria-selected=true] { border-bottom-color: var(--p-primary-color, #60a5fa); font-weight: 600; }
`;

// Put the sheet into the page, once.
export function styled() {
  if (document.getElementById(ID)) return;
  const sheet = document.createElement("style");
  sheet.id = ID;
  sheet.textContent = SHEET;
  document.head.append(sheet);
}
