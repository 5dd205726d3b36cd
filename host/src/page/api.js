// SPDX-License-Identifier: Apache-2.0
// Requests to the host. All URLs are relative, so that the page works behind a path.

/** A response that is none of success. */
export class Failure extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

let loggedOut = () => {};
/** Sets what is called when the host no longer knows this browser. */
export function onLoggedOut(call) {
  loggedOut = call;
}

export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The host does not respond. It may be stopped, or the network is down.");
  }
  if (response.ok || response.status === 304) return response;
  const text = await response.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy may respond with something else.
  }
  if (response.status === 401 && path !== "session") loggedOut();
  throw new Failure(response.status, body?.message ?? `The host responded with ${response.status}`, body);
}

export const get = async (path) => (await request(path)).json();

export const post = async (path, body = {}) =>
  (await request(path, { method: "POST", body: JSON.stringify(body) })).json();

/** The URL of a key as listings show it, "a/b", or of a base, "a/". */
export const keyUrl = (key) => "data/" + key.split("/").map(encodeURIComponent).join("/");

const decoder = new TextDecoder("utf-8", { fatal: false });
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.codePointAt(0));

/** Lists a page: {keys, cursor}. */
export async function list(base, parameters, signal) {
  const query = new URLSearchParams(parameters).toString();
  const response = await request(`${keyUrl(base)}?${query}`, { signal });
  return {
    keys: await response.json(),
    cursor: response.headers.get("X-Cursor"),
    skipped: response.headers.get("X-Skipped"),
  };
}

/** The meta of several keys: a Map of key to {size, mtime, expiry, etag}; absent keys are missing. */
export async function stat(keys, signal) {
  const found = new Map();
  if (keys.length === 0) return found;
  const response = await request("data/", { method: "POST", body: JSON.stringify({ stat: keys }), signal });
  const { stat } = await response.json();
  stat.forEach((item, i) => item.status === 200 && found.set(keys[i], item.meta));
  return found;
}

/**
 * Reads a value: {bytes, total, etag, user}, or null if it is absent. At most `most` bytes come.
 * `user` is the user's own meta in base64, to be sent back with the next value.
 */
export async function read(key, most) {
  const headers = { Accept: "application/octet-stream", "X-User-Meta": "get" };
  if (most) headers.Range = `bytes=0-${most - 1}`;
  let response;
  try {
    response = await request(keyUrl(key), { headers });
  } catch (error) {
    if (error.status === 404) return null;
    if (error.status !== 416) throw error;
    response = await request(keyUrl(key), { headers: { Accept: headers.Accept, "X-User-Meta": "get" } }); // it is empty
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const range = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
  return {
    bytes,
    total: range ? Number(range[1]) : bytes.length,
    etag: response.headers.get("ETag"),
    user: response.headers.get("X-User-Meta"),
  };
}

/** The text of a user's meta that came in base64. */
export const userText = (base64) => (base64 ? decoder.decode(fromBase64(base64)) : "");

/** Sets a value. `etag` binds the write to the value that was seen, and "*" in `absent` to there being none. */
export async function write(key, body, { etag, absent, ttl, user } = {}) {
  const headers = {};
  if (etag) headers["If-Match"] = etag;
  if (absent) headers["If-None-Match"] = "*";
  if (ttl !== undefined && ttl !== "") headers["X-Ttl"] = ttl;
  if (user) headers["X-User-Meta"] = user;
  await request(keyUrl(key), { method: "PUT", body, headers });
}

export async function setTtl(key, ttl) {
  await request(keyUrl(key), { method: "PATCH", headers: { "X-Ttl": ttl } });
}

export async function remove(key, etag) {
  await request(keyUrl(key), { method: "DELETE", headers: etag ? { "If-Match": etag } : {} });
}
