"""The tab in the page's address: it is the same after a reload and in the other language, and Back goes to the tab before.

All of it is the browser's affair; the server hears of a tab as if it had been pressed.
"""

# `#/train`: no part of the page has such a name, so that nothing scrolls there. Runs once, when the events of the page are wired.
COMES = """
if (!window.sartoriaAddress) {
  window.sartoriaAddress = true;
  const named = () => location.hash.match(/^#\\/([a-z]+)$/)?.[1] ?? "model";
  const shown = () => document.querySelector('#tabs [role="tab"][aria-selected="true"]')?.id.match(/^tab-([a-z]+)-button$/)?.[1];
  const go = () => { if (named() !== shown()) document.getElementById(`tab-${named()}-button`)?.click(); };
  const watch = {subtree: true, attributes: true, attributeFilter: ["aria-selected"]};
  go();
  addEventListener("popstate", go);
  new MutationObserver(() => {
    if (shown() && shown() !== named()) history.pushState(null, "", `${location.pathname}${location.search}#/${shown()}`);
  }).observe(document.getElementById("tabs"), watch);
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".languages a");
    if (link) link.hash = location.hash;
  }, true);
}
"""
