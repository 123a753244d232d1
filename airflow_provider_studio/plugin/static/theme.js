// SPDX-License-Identifier: Apache-2.0
// Airflow tells an embedded page nothing of its theme: it stands in localStorage, and as a class of the parent's <html>.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const parentRoot = () => {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // another origin embeds us
    }
  };

  const chosen = () => {
    const classes = parentRoot()?.classList;
    if (classes?.contains("dark")) return "dark";
    if (classes?.contains("light")) return "light";
    let stored = null;
    try {
      stored = localStorage.getItem("theme");
    } catch { /* not allowed to look */ }
    return stored === "dark" || stored === "light" ? stored : dark.matches ? "dark" : "light";
  };

  const apply = () => {
    const theme = chosen();
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    document.dispatchEvent(new Event("studio:theme"));
  };

  apply();
  if (window.parent !== window) root.dataset.embedded = "";
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  const watched = parentRoot();
  if (watched) new MutationObserver(apply).observe(watched, { attributes: true, attributeFilter: ["class"] });
})();
