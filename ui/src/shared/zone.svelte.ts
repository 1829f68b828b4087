/** In which zone the window shows times. A rune, so that whatever shows one follows a change at once. */
class Zone {
  utc = $state(false);
}
export const shown = new Zone();
