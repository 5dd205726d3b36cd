// SPDX-License-Identifier: Apache-2.0
// What this browser may do, and how it is logged in.
import { Failure, get, post, request } from "./api.js";

let state = null;

/** Takes the code of a link out of the URL, so that it stays neither there nor in the history, and uses it. */
export async function begin() {
  const code = /^#code=([0-9a-f]+)$/.exec(location.hash)?.[1];
  let failure = null;
  if (code) {
    history.replaceState(null, "", location.pathname + location.search);
    await post("session", { code }).catch((error) => (failure = error));
  }
  await look();
  return failure;
}

export async function look() {
  state = await get("session");
  return state;
}

export async function logIn(token) {
  await post("session", { token });
  return look();
}

export async function logOut() {
  await request("session", { method: "DELETE" });
  return look();
}

export const session = () => state;
export const seesMounts = () => state.admin !== "none";
export const seesAll = () => state.admin === "whole" || state.admin === "change";
export const mayChange = () => state.admin === "change";
export const seesKeys = () => state.keys !== null;
export const isKnown = () => seesMounts() || seesKeys();

/** Returns true if this browser may read a key, or all of a base that ends in "/". */
export function mayRead(key) {
  if (!state.keys) return false;
  const name = key.replaceAll("/", ":");
  return state.keys.bases.length === 0 || state.keys.bases.some((base) => name.startsWith(base));
}

export const mayWrite = (key) => mayRead(key) && state.keys.write;

/** The folder that the keys begin in: a token with bases cannot list the root. */
export const firstFolder = () => (state.keys?.bases[0] ?? "").replaceAll(":", "/");

export { Failure };
