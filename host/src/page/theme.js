// SPDX-License-Identifier: Apache-2.0
// Runs before anything is painted, so that the theme does not flash. Without a choice of the user the system's counts,
// also when it changes later.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("omnistore-theme");
    } catch {
      return null; // storage may be off in this browser
    }
  };
  const apply = () => {
    const choice = chosen();
    document.documentElement.dataset.theme = choice === "light" || choice === "dark" ? choice : system.matches ? "dark" : "light";
    dispatchEvent(new Event("omnistore-theme"));
  };
  apply();
  system.addEventListener("change", apply);
})();
