// SPDX-License-Identifier: Apache-2.0
// Airflow does not pass its theme to an embedded page. It is in localStorage, and a class of the parent's <html>.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const parentRoot = () => {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // the parent has another origin
    }
  };

  const selectedTheme = () => {
    const classes = parentRoot()?.classList;
    if (classes?.contains("dark")) return "dark";
    if (classes?.contains("light")) return "light";
    let stored = null;
    try {
      stored = localStorage.getItem("theme");
    } catch { /* access is denied */ }
    return stored === "dark" || stored === "light" ? stored : dark.matches ? "dark" : "light";
  };

  const apply = () => {
    const theme = selectedTheme();
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
