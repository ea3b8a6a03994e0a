"""Every hold of the server on Gradio's frontend: whose language Italian takes, light or dark, a clock, pictures, screen readers, the head.

None of it is documented, and Gradio is pinned; `tests/serve/test_gradio_words.py` fails on a Gradio where one of them has moved.
What the page's builders hold stands in `ui.gradio_ways`.
"""

import json
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from tuning.text import t

UPLOAD = "/gradio_api/upload"  # Gradio itself limits files

# Gradio picks its own words by navigator.language among the languages that it brings; Italian is not one of them. Our
# Italian words stand in place of the Catalan ones, so the Italian page claims to be Catalan, to the frontend alone.
LOCALES = {"en": "en", "it": "ca"}
# Gradio also counts at every frame how long its loading screen has been there, and goes on when that is gone: a twentieth of a
# core of a machine that trains. Here such a clock runs only while there is one to be seen.
# And it names parts that have no role, where screen readers pass a name over: they become groups. A message it names by all that is
# in it: of the badge of an answer the first line is read out, and not its HTML.
CLOCK = r"^\(\) ?=> ?\{[^;]*performance\.now\(\) ?- ?[^;]*\/ ?1(e3|000)\)"  # as it stands in the minified source
SCREEN = '[data-testid="status-tracker"]'
SCRIPT = """<script>(() => {
const locale = "%s", lang = "%s", words = %s, root = document.documentElement;
Object.defineProperty(navigator, "language", {get: () => locale, configurable: true});
Object.defineProperty(navigator, "languages", {get: () => [locale], configurable: true});
const mend = () => { if (root.lang !== lang) root.lang = lang; };
mend();
new MutationObserver(mend).observe(root, {attributes: true, attributeFilter: ["lang"]});
const frame = window.requestAnimationFrame.bind(window), clock = /%s/;
window.requestAnimationFrame = (then) =>
  clock.test(then) && !document.querySelector('%s:not(.hide)') ? 0 : frame(then);
const say = (element) => {
  if (/^(div|span)$/.test(element.localName) && !element.hasAttribute("role")) element.setAttribute("role", "group");
  const name = element.getAttribute("aria-label") || "", badge = name.indexOf('<details class="proof');
  const brief = () => new DOMParser().parseFromString(name.slice(badge), "text/html").querySelector("summary")?.textContent ?? "";
  const label = badge < 0 ? name : name.slice(0, badge) + brief(), end = label.indexOf(":") + 1;
  const said = words[label] || (words[label.slice(0, end)] ? words[label.slice(0, end)] + label.slice(end) : label);
  if (said !== name) element.setAttribute("aria-label", said);
};
const told = (element) => {
  for (const node of element.childNodes) if (node.nodeType === 3) node.data = words[node.data.trim()] || node.data;
};
new MutationObserver((changes) => {
  for (const {type, target, addedNodes} of changes) {
    if (type === "attributes") say(target);
    for (const node of addedNodes) {
      if (node.nodeType !== 1) continue;
      if (node.hasAttribute("aria-label")) say(node);
      node.querySelectorAll("[aria-label]").forEach(say);
      node.querySelectorAll('.toast-title, [data-testid="toast-text"]').forEach(told);
    }
  }
}).observe(root, {subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label"]});
})();</script>"""

# In a frame on another site some browsers deny `localStorage`, which Gradio reads as its parts come up: what comes up after it, the timer
# too, stands still for good. There the page has a storage of its own, that lasts as long as it is open.
STORAGE = """<script>(() => {
try { localStorage.getItem(""); return; } catch { /* denied */ }
const kept = new Map();
Object.defineProperty(window, "localStorage", {configurable: true, value: {
  getItem: (key) => kept.has(String(key)) ? kept.get(String(key)) : null,
  setItem: (key, value) => { kept.set(String(key), String(value)); },
  removeItem: (key) => { kept.delete(String(key)); },
  clear: () => kept.clear(),
  key: (index) => [...kept.keys()][index] ?? null,
  get length() { return kept.size; },
}});
})();</script>"""

# Gradio is dark where the browser prefers it, which it asks of `matchMedia`, and has no switch of its own: what somebody has chosen is
# answered in the place of the browser. The choice is kept by the browser, and nowhere where it keeps nothing.
THEME = """<script>(() => {
const dark = "(prefers-color-scheme: dark)", asked = window.matchMedia.bind(window), root = document.documentElement;
let chosen = null;
try { chosen = localStorage.getItem("sartoria-theme"); } catch { /* nothing is kept in this frame */ }
const mark = () => { if (chosen) root.dataset.theme = chosen; else delete root.dataset.theme; };
window.matchMedia = (query) => {
  const found = asked(query);
  if (query !== dark || !chosen) return found;
  const [addEventListener, removeEventListener] = [found.addEventListener.bind(found), found.removeEventListener.bind(found)];
  return {matches: chosen === "dark", media: query, addEventListener, removeEventListener};
};
window.sartoriaTheme = (choice) => {
  if (choice === undefined) return chosen || "system";
  chosen = choice === "dark" || choice === "light" ? choice : null;
  try { localStorage.setItem("sartoria-theme", chosen || "system"); } catch { /* as above */ }
  mark();
  document.body.classList.toggle("dark", window.matchMedia(dark).matches);
};
if (chosen !== "dark" && chosen !== "light") chosen = null;
mark();
})();</script><style>
html[data-theme="dark"] body { background: var(--bg-dark); color: var(--col-dark); }
html[data-theme="light"] body { background: var(--bg); color: var(--col); }
</style>"""

# The page comes with its invitation, the same for everybody: who has chosen something before does not see it come and go.
BEGUN = """<script>if (localStorage.getItem("sartoria-begun")) document.documentElement.dataset.begun = "";</script><style>
html[data-begun]:not(:has(#chips .chip)) #starter { display: none !important; }
</style>"""

# Gradio's bar of pages would push all else down until our style sheet is there to hide it.
STILL = "<style>.nav-holder { display: none !important; }</style>"

# Every text that the frontend shows as HTML, a model's answer above all, is parsed in a <template>, where nothing is loaded yet. What
# would load something from there, a picture in whatever dress, or send something, a form, is put back into text before it gets to the page.
PICTURES = r"""<script>(() => {
const parsed = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
const place = /^(src|srcset|poster|background|data|lowsrc|href|xlink:href)$/i, near = /^\s*($|#|data:|blob:)/i;
const styled = /^(style|fill|stroke|filter|mask|clip-path|cursor|marker.*)$/i;
const fetching = /\\|image(-set)?\(|url\((?:\s|["'])*(?![\s"'#]|data:)/i;
const link = (element, name) => /href$/i.test(name) && /^(a|area)$/i.test(element.localName);
const loads = (element) => element.localName === "form" || [...element.attributes].some(({name, value}) =>
  place.test(name) ? !near.test(value) && !link(element, name) : styled.test(name) && fetching.test(value));
const said = (element) => element.localName === "img" && element.hasAttribute("src")
  ? `![${element.getAttribute("alt") || ""}](${element.getAttribute("src")})` : element.outerHTML;
const plain = (content) => {
  for (const element of content.querySelectorAll("*")) {
    if (element.matches(".mermaid") && /img|url|\/\//i.test(element.textContent)) element.classList.remove("mermaid");
    if (!content.contains(element) || !loads(element)) continue;
    const whole = element.closest("svg, picture, video, audio, object") || element;
    whole.replaceWith(said(whole));
  }
};
Object.defineProperty(HTMLTemplateElement.prototype, "innerHTML", {...parsed, set(html) {
  parsed.set.call(this, html);
  plain(this.content);
}});
})();</script>"""

# What Gradio's frontend says to screen readers, and where the connection is lost, in English whatever the language, and our line for it.
FIXED = {
    "Connection to the server was lost. Attempting reconnection...": "gradio.aria.lost",
    "Error": "gradio.common.error",
    "Close": "gradio.aria.close",
    "Click to upload or drop files": "gradio.aria.upload",
    "File upload": "gradio.aria.file",
    "More tabs": "gradio.aria.tabs",
    "chatbot conversation": "gradio.aria.conversation",
    "bot's message:": "gradio.aria.bot",
    "user's message:": "gradio.aria.user",
    "undo": "gradio.chatbot.undo",  # of a picture
}
LEAVE_OUT = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*|<link rel="manifest"[^>]*>\s*')


def user(scope: Mapping[str, Any], cookie: str) -> str | None:
    """The log-in for which a request's cookie stands.

    Held: Gradio's app keeps `tokens` by the value of a cookie, which is named after its `cookie_id`.
    """
    app = scope["app"]
    try:
        found = SimpleCookie(cookie)
    except CookieError:
        return None
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    tokens = [found[name].value for name in names if name in found]
    return next((str(app.tokens[token]) for token in tokens if token in app.tokens), None)


def inject(page: bytes, lang: str) -> bytes:
    """The page with our script before anything else in its head, in the right language, and without what points elsewhere."""
    page = LEAVE_OUT.sub(b"", page)
    page = re.sub(rb'(<html[^>]*?\slang=")[^"]*(")', rb"\g<1>" + lang.encode() + rb"\g<2>", page, count=1)
    words = {} if lang == "en" else {english: t(lang, code) for english, code in FIXED.items()}
    script = (SCRIPT % (LOCALES[lang], lang, json.dumps(words), CLOCK, SCREEN) + STORAGE + THEME + BEGUN + PICTURES + STILL).encode()
    return re.sub(rb"<head[^>]*>", lambda match: match.group(0) + script, page, count=1)
