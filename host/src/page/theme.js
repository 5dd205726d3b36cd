// SPDX-License-Identifier: Apache-2.0
// Runs before anything is painted, so that a chosen theme does not flash. Without a choice the system's counts.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("omnistore-theme");
  } catch {
    // Storage may be off in this browser.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
