"""Two who answer, read together: each question stands at one height on both sides, and one side scrolls with the other. Scripts alone.

One of them may have said more, or have come in later. Where the sides stand below each other, as on a phone, nothing is moved; they are
higher than the screen there, and who asks is brought to where the first begins.
"""

# The lower of two questions stays, the other gets room above it; what it has already got is not measured, and nothing is taken away to
# measure: a sheet that is shorter for a moment forgets where it was scrolled to.
LEVEL = """
const tab = element.closest('#tab-chat');
const wraps = () => [...tab.querySelectorAll('[id^="bot-"] .bubble-wrap')].filter((box) => box.offsetParent);
const abreast = (boxes) => boxes.length === 2 && Math.abs(boxes[0].getBoundingClientRect().top - boxes[1].getBoundingClientRect().top) < 2;
const level = () => {
  const boxes = wraps();
  const sheets = boxes.map((box) => {
    const wrap = box.querySelector('.message-wrap'), top = wrap ? wrap.getBoundingClientRect().top : 0;
    const rows = wrap ? [...wrap.querySelectorAll('.user-row')] : [], end = wrap && wrap.lastElementChild;
    let room = 0;
    const heights = rows.map((row) => row.getBoundingClientRect().top - top - (room += row.room || 0) + (row.room || 0));
    return {wrap, rows, heights, added: 0, end: end ? end.getBoundingClientRect().bottom - top - room : 0};
  });
  const count = abreast(boxes) ? Math.min(...sheets.map((sheet) => sheet.rows.length)) : 0;
  const give = (place, side, room) => {
    if (Math.abs((place.room || 0) - room) > 0.5) { place.style[side] = room ? room + 'px' : ''; place.room = room; }
  };
  for (const {rows} of sheets) for (const row of rows.slice(0, rows.length - count)) give(row, 'paddingTop', 0);
  for (let back = count; back > 0; back--) {
    const at = sheets.map(({rows, heights, added}) => heights[rows.length - back] + added), lowest = Math.max(...at);
    sheets.forEach((sheet, side) => {
      give(sheet.rows[sheet.rows.length - back], 'paddingTop', lowest - at[side]); sheet.added += lowest - at[side];
    });
  }
  const ends = sheets.map(({end, added}) => end + added);
  sheets.forEach(({wrap}, side) => wrap && give(wrap, 'paddingBottom', count ? Math.max(...ends) - ends[side] : 0));
};
let due = 0;
const plan = () => { due = due || requestAnimationFrame(() => { due = 0; level(); }); };
new MutationObserver(plan).observe(tab, {childList: true, subtree: true, characterData: true});
tab.addEventListener('toggle', plan, true);
addEventListener('resize', plan);
tab.addEventListener('scroll', ({target}) => {
  const boxes = wraps(), other = boxes[1 - boxes.indexOf(target)];
  if (boxes.includes(target) && abreast(boxes) && Math.abs(other.scrollTop - target.scrollTop) > 1) other.scrollTop = target.scrollTop;
}, true);
"""
SIDES_IN_VIEW = """(...asked) => {
  const [one, other] = [...document.querySelectorAll('[id^="bot-"]')].filter((side) => side.offsetParent);
  if (other && other.getBoundingClientRect().top > one.getBoundingClientRect().bottom) one.scrollIntoView({block: "start"});
  return asked;
}"""
