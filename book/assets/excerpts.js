// Under each result of a search, the words around the first hit, from texts.js, which the build of the book writes.
"use strict";

{
  const words = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().split(/\s+/).filter((word) => word.length > 1);
  const results = document.getElementById("search-results");
  const root = document.documentElement.dataset.content_root ?? "./";
  const pages = new Map(Object.entries(window.pageTexts ?? {}).map(([page, text]) => [new URL(`${root}${page}.html`, location.href).pathname, text]));
  const add = (item) => {
    const link = item.querySelector("a");
    const text = link && pages.get(new URL(link.href).pathname);
    if (!text || item.querySelector(".excerpt")) return;
    const small = text.toLowerCase();
    const at = Math.min(...words.map((word) => small.indexOf(word)).filter((place) => place >= 0));
    const start = isFinite(at) ? Math.max(0, small.lastIndexOf(" ", Math.max(0, at - 80)) + 1) : 0;
    const excerpt = document.createElement("p");
    excerpt.className = "excerpt";
    excerpt.textContent = `${start ? "… " : ""}${text.slice(start, start + 220)} …`;
    item.append(excerpt);
  };
  if (results) {
    const all = () => results.querySelectorAll("ul.search li").forEach(add);
    new MutationObserver(all).observe(results, { childList: true, subtree: true });
    all();
  }
}
