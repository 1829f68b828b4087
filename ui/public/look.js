// Runs before anything is painted, so that the window opens in the theme and the size a person chose. What holds is in
// the record and read a moment later; this is what it said the last time.
const { theme, size } = localStorage;
if (theme) document.documentElement.dataset.theme = theme;
if (size) document.documentElement.style.fontSize = size;
