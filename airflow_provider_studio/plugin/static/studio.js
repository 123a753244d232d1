// SPDX-License-Identifier: Apache-2.0
// Airflow's sandbox does not let an embedded page leave its frame or open a window, so the parent page, which has the same
// origin, follows the links that lead outside. The pages also work without this script.
(() => {
  "use strict";

  const follow = (link) => {
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    if (link.hasAttribute("data-out")) {
      outside.target = "_blank";
      outside.rel = "noopener noreferrer";
    }
    if (link.hasAttribute("data-download")) outside.download = "";
    window.parent.document.body.append(outside);
    outside.click();
    outside.remove();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-top], a[data-out], a[data-download]");
    if (!link || window.parent === window || event.defaultPrevented) return;
    try {
      follow(link);
      event.preventDefault();
    } catch { /* the parent has another origin: let the browser try */ }
  });

  for (const field of document.querySelectorAll("[data-submit]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }
  for (const field of document.querySelectorAll("input[list]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }
  for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;

  const waiting = document.querySelector("[data-reload]");
  if (waiting) setTimeout(() => location.reload(), Number(waiting.dataset.reload) * 1000);

  // Leave empty fields out of the URL.
  document.addEventListener("submit", (event) => {
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form [name]:disabled")) field.disabled = false;
  });
})();
