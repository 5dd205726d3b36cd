// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes and times for people. What is unknown is "–".
const none = "–";
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export function count(value) {
  return known(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 0 }) : none;
}

export function bytes(value) {
  if (!known(value)) return none;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; ++unit) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function percent(part) {
  if (!known(part)) return none;
  const value = part * 100;
  return `${value === 0 || value === 100 ? value : value.toFixed(1)} %`;
}

/** A latency, given in seconds. */
export function latency(seconds) {
  if (!known(seconds)) return none;
  if (seconds >= 1) return `${seconds.toFixed(seconds >= 10 ? 0 : 2)} s`;
  if (seconds >= 0.001) return `${(seconds * 1e3).toFixed(seconds >= 0.1 ? 0 : 1)} ms`;
  return `${Math.round(seconds * 1e6)} µs`;
}

export function rate(value) {
  if (!known(value)) return none;
  return `${value >= 100 || value === 0 ? count(value) : value.toFixed(1)} /s`;
}

/** A duration in milliseconds: "2 d 3 h", "4 min 5 s". */
export function duration(milliseconds) {
  if (!known(milliseconds)) return none;
  let seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const parts = [];
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (seconds >= size || (unit === "s" && parts.length === 0)) parts.push(`${Math.floor(seconds / size)} ${unit}`);
    seconds %= size;
  }
  return parts.slice(0, 2).join(" ");
}

export function moment(milliseconds) {
  if (!known(milliseconds)) return none;
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString(undefined, { hour12: false });
}

/** The name of a mount. */
export const mountName = (point) => (point === "" ? "(root)" : point);
