// Light or dark: as the system has it, until the reader says otherwise.
(() => {
  const kept = (() => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // a page from a disk may have no storage
    }
  })();
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const root = document.documentElement;
  root.dataset.theme = kept ?? system();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (!kept) root.dataset.theme = system();
  });
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // it holds for this page alone
      }
    });
  });
})();
