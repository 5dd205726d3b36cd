// SPDX-License-Identifier: Apache-2.0
// A value as JSON, text, hexadecimal bytes or an image.
import { h } from "./dom.js";

const strict = new TextDecoder("utf-8", { fatal: true });
const longestHex = 16 * 1024;

const pictures = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
  ["image/webp", [0x52, 0x49, 0x46, 0x46, null, null, null, null, 0x57, 0x45, 0x42, 0x50]],
  ["image/bmp", [0x42, 0x4d]],
  ["image/avif", [null, null, null, null, 0x66, 0x74, 0x79, 0x70, 0x61, 0x76, 0x69, 0x66]],
];

/** The text of bytes, or null if they are none. A character that is cut at the end does not count. */
export function textOf(bytes) {
  for (let cut = 0; cut < 4 && cut <= bytes.length; ++cut) {
    try {
      const text = strict.decode(bytes.subarray(0, bytes.length - cut));
      return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text;
    } catch {
      // Perhaps the end alone is cut.
    }
  }
  return null;
}

function pictureType(bytes) {
  const found = pictures.find(([, mark]) => bytes.length >= mark.length && mark.every((byte, i) => byte === null || bytes[i] === byte));
  if (found) return found[0];
  return /^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<svg[\s>]/s.test(textOf(bytes.subarray(0, 1024)) ?? "") ? "image/svg+xml" : null;
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The forms that fit, the best one first. */
export function formsOf(bytes) {
  const forms = [];
  const text = textOf(bytes);
  if (pictureType(bytes)) forms.push("image");
  if (text !== null && parsed(text) !== undefined) forms.push("json");
  if (text !== null) forms.push("text");
  return [...forms, "hex"];
}

/** JSON with its parts in colours. The text is the value's own, so numbers keep all of their digits. */
function colored(text) {
  const pre = h("pre", { tabindex: "0", "aria-label": "Value as JSON" });
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
  let end = 0;
  for (let match; (match = token.exec(text));) {
    pre.append(text.slice(end, match.index));
    const kind = match[2] ? "json-key" : match[1] ? "json-string" : match[3] ? "json-number" : "json-word";
    pre.append(h("span", { class: kind }, match[1] ?? match[0]), match[2] ?? "");
    end = match.index + match[0].length;
  }
  pre.append(text.slice(end));
  return pre;
}

/** Breaks JSON into lines without parsing its numbers. */
export function indented(text) {
  let out = "";
  let depth = 0;
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;
  const line = () => "\n" + "  ".repeat(depth);
  let before = "";
  for (let match; (match = token.exec(text));) {
    const part = match[0];
    if (part === "}" || part === "]") {
      --depth;
      out += before === "{" || before === "[" ? part : line() + part;
    } else {
      if (before === "{" || before === "[" || before === ",") out += line();
      out += part === ":" ? ": " : part;
      if (part === "{" || part === "[") ++depth;
    }
    before = part;
  }
  return out;
}

function hexLines(bytes) {
  const shown = bytes.subarray(0, longestHex);
  const lines = [];
  const width = matchMedia("(max-width: 760px)").matches ? 8 : 16; // bytes of a line
  for (let at = 0; at < shown.length; at += width) {
    const row = [...shown.subarray(at, at + width)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const groups = [];
    for (let from = 0; from < width; from += 8) groups.push(hex.slice(from, from + 8).join(" ").padEnd(23));
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push([at.toString(16).padStart(8, "0"), ...groups, text].join("  "));
  }
  if (bytes.length > longestHex) lines.push(`… ${bytes.length - longestHex} more bytes; download the value to see them`);
  return lines.join("\n");
}

/** Draws bytes in one of the forms: {element, picture}; the picture's URL is to be revoked. */
export function render(form, bytes) {
  if (form === "image") {
    const picture = URL.createObjectURL(new Blob([bytes], { type: pictureType(bytes) }));
    return { element: h("img", { src: picture, alt: "The value as an image" }), picture };
  }
  if (form === "hex") return { element: h("pre", { class: "hex", tabindex: "0", "aria-label": "Value as hexadecimal bytes" }, hexLines(bytes)) };
  const text = textOf(bytes) ?? "";
  if (form === "json") return { element: colored(indented(text)) };
  return { element: h("pre", { tabindex: "0", "aria-label": "Value as text" }, text === "" ? "(empty)" : text) };
}
