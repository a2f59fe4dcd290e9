// What the review alone looks like; the rest is in style.mjs. Theme variables only, so light and dark follow.
export const STYLE = `
.iig.review { padding: 0; gap: 0; }
.iig.review > header { padding: 0.75rem 0.75rem 0.5rem; display: flex; flex-direction: column; gap: 0.4rem; }
.iig.review > header select { flex: 1; min-width: 8rem; }
.iig.review > .iig-sections { padding: 0 0.75rem 0.75rem; display: flex; flex-direction: column; gap: 1rem; flex: 1; }
.iig.review > footer { position: sticky; bottom: 0; padding: 0.6rem 0.75rem; border-top: 1px solid var(--border-color);
  background: var(--comfy-menu-bg); display: flex; flex-direction: column; gap: 0.4rem; z-index: 2; }
.iig.review [hidden] { display: none !important; }
.iig.review > footer .buttons { gap: 0.35rem; }
.iig.review > footer button { padding: 0.25rem 0.6rem; }
.iig.review > footer button.bare { padding: 0.15rem 0.3rem; font-size: 0.8rem; color: var(--p-primary-color, #60a5fa); }
.iig.review section { display: flex; flex-direction: column; gap: 0.4rem; }
.iig.review section h3 { margin: 0; font-size: 0.78rem; letter-spacing: 0.04em; text-transform: uppercase; color: var(--descrip-text); }
.iig.review .small { font-size: 0.78rem; }
.iig.review .grow { flex: 1; min-width: 0; }
.iig.review .grow strong { display: block; overflow: hidden; text-overflow: ellipsis; }
.iig.review p:empty { display: none; }
.iig.review .small > p + p, .iig.review .small details p + p { margin-top: 0.25rem; }
.iig.review .figure { font-variant-numeric: tabular-nums; text-align: right; }
.iig.review .chip { border-color: var(--border-color); color: var(--input-text); background: transparent; }
.iig.review .bar { background: color-mix(in srgb, var(--border-color) 50%, transparent); }
.iig.review button.chip { padding: 0.1rem 0.55rem; }
.iig.review button.chip[aria-pressed=false] { opacity: 0.65; text-decoration: line-through; }
.iig.review .badges .badge { border-color: var(--border-color); }
.iig.review .card.off { opacity: 0.75; border-style: dashed; }
.iig.review .card { padding: 0.5rem 0.6rem; gap: 0.45rem; }
.iig.review .iig-banner { color: var(--descrip-text); border: 1px solid currentColor; border-radius: 0.5rem; padding: 0.5rem 0.6rem; display: flex; flex-direction: column; gap: 0.4rem; }
.iig.review .iig-banner.warn { color: #d97706; } .iig.review .iig-banner.bad { color: var(--error-text, #f87171); }
.iig.review .iig-banner p { color: var(--input-text); }
.iig.review .iig-concepts { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 0.6rem; align-items: baseline; margin: 0; }
.iig.review .iig-concepts dd { margin: 0; }
.iig.review .iig-lora-top { display: flex; gap: 0.6rem; align-items: center; }
.iig.review .iig-lora-body { display: flex; flex-direction: column; gap: 0.45rem; }
.iig.review .thumb { width: 2.75rem; height: 2.75rem; }
.iig.review .iig-blank { display: inline-block; border: 1px dashed var(--border-color); background: none; }
.iig.review .iig-scores { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.1rem 1.2rem; font-size: 0.75rem; }
.iig.review .iig-scores li { display: grid; grid-template-columns: 5.2rem 1fr 1.6rem; align-items: center; gap: 0.4rem; color: var(--descrip-text); }
.iig.review .iig-strength { display: grid; grid-template-columns: max-content minmax(0, 1fr) 4.2rem; align-items: center; gap: 0 0.6rem; }
.iig.review .iig-strength .iig-mark { grid-column: 2 / 4; justify-self: start; padding: 0; color: var(--descrip-text); }
.iig.review .iig-track { position: relative; display: flex; }
.iig.review .iig-track input { width: 100%; min-width: 0; }
.iig.review .iig-tick { position: absolute; left: calc(8px + (100% - 16px) * var(--at)); top: 100%; width: 2px; height: 0.3rem; margin-left: -1px;
  background: var(--descrip-text); border-radius: 1px; pointer-events: none; }
.iig.review .iig-settings { gap: 0.55rem; container-type: inline-size; }
.iig.review .iig-settings li { display: grid; grid-template-columns: minmax(5.5rem, 26%) minmax(0, 1fr); align-items: center; gap: 0.1rem 0.6rem; }
.iig.review .iig-settings li > :nth-child(n+3) { grid-column: 2; }
@container (max-width: 17rem) { .iig.review .iig-settings li { grid-template-columns: minmax(0, 1fr); }
  .iig.review .iig-settings li > :nth-child(n+3) { grid-column: 1; } }
.iig.review .iig-range { display: block; font-size: 0.72rem; font-variant-numeric: tabular-nums; }
@container (max-width: 17rem) { .iig.review .iig-range { display: inline; margin-left: 0.4rem; } }
.iig.review .iig-label { display: inline-block; }
.iig.review .iig-label::first-letter { text-transform: uppercase; }
.iig.review .iig-control { display: flex; align-items: center; gap: 0.6rem; min-width: 0; }
.iig.review .iig-control select { width: 100%; }
.iig.review .iig-control input[type=range] { min-width: 3rem; }
.iig.review input[type=number] { width: 5rem; flex: none; padding: 0.2rem 0.4rem; text-align: right; font-variant-numeric: tabular-nums; }
.iig.review .iig-strength input[type=number] { width: 4.2rem; }
.iig.review :is(.iig-back, .iig-banner .buttons):not(:has(> :not([hidden]))) { display: none; }
.iig.review .iig-back { display: flex; flex-wrap: wrap; align-items: center; gap: 0.2rem 0.5rem; }
.iig.review .iig-back button { padding: 0; color: var(--p-primary-color, #60a5fa); }
.iig.review .iig-prompt { padding: 0.5rem 0.6rem; border-radius: 0.4rem; background: var(--comfy-input-bg); border: 1px solid var(--border-color);
  overflow-wrap: anywhere; white-space: pre-wrap; max-height: 10rem; overflow: auto; }
.iig.review mark { background: color-mix(in srgb, var(--p-primary-color, #60a5fa) 28%, transparent); color: inherit; border-radius: 0.2rem; padding: 0 0.1rem; }
.iig.review .iig-drop.over { outline: 2px dashed var(--p-primary-color, #60a5fa); outline-offset: 4px; border-radius: 0.4rem; }
.iig.review input[role=switch] { appearance: none; width: 2rem; height: 1.1rem; border-radius: 1rem; background: var(--border-color); position: relative; cursor: pointer;
  flex: none; margin: 0; transition: background 0.12s; }
.iig.review input[role=switch]::before { content: ""; position: absolute; top: 0.15rem; left: 0.15rem; width: 0.8rem; height: 0.8rem; border-radius: 50%;
  background: var(--input-text); transition: transform 0.12s; }
.iig.review input[role=switch]:checked { background: var(--p-primary-color, #60a5fa); }
.iig.review input[role=switch]:checked::before { transform: translateX(0.9rem); background: #fff; }
.iig.review .iig-banner button { color: var(--input-text); }
.iig.review details > summary { cursor: pointer; padding: 0.2rem 0; color: var(--descrip-text); }
.iig.review .iig-warning { border-left: 3px solid #d97706; padding-left: 0.5rem; }
.iig.review details[open] > summary { margin-bottom: 0.35rem; }
@media (prefers-reduced-motion: reduce) { .iig.review input[role=switch], .iig.review input[role=switch]::before { transition: none; } }
`;
