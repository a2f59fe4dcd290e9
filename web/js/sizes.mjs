// Sizes of files, speeds, spans of time and counts, as hubs and people name them.
import { language, speaker } from "./speaking.mjs";

const say = speaker({ en: { unknown: "size unknown" }, es: { unknown: "tamaño desconocido" } });

export function number(value, digits = 0) {
  return value.toLocaleString(language(), { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

// 0.8, not 0.80; in the language's own notation.
export function plain(value) {
  return value.toLocaleString(language(), { maximumFractionDigits: 2 });
}

export function fileSize(bytes) {
  if (bytes == null) return say("unknown");
  return bytes >= 1e9 ? `${number(bytes / 1e9, 1)} GB` : bytes >= 1e6 ? `${number(bytes / 1e6)} MB` : `${number(Math.ceil(bytes / 1e3))} kB`;
}

export function speed(bytesPerSecond) {
  return `${number(bytesPerSecond / 1e6, 1)} MB/s`;
}

export function span(seconds) {
  const whole = Math.round(seconds), two = (part) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function many(count) {
  return count.toLocaleString(language(), { notation: "compact", maximumFractionDigits: 1 });
}
