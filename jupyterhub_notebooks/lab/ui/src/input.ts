/** When somebody last typed, clicked or scrolled in this page: what the browser itself says a person did. */

const KINDS = ['keydown', 'pointerdown', 'wheel', 'touchmove'] as const;

export class Input {
  /** began: called with the first input after a pause of `pauseMs`. */
  constructor(
    private readonly pauseMs: number,
    private readonly began: () => void
  ) {
    for (const kind of KINDS) {
      document.addEventListener(kind, this.note, { capture: true, passive: true });
    }
  }

  /** Seconds since the last input, null before the first. */
  secondsAgo(): number | null {
    return this.last === null ? null : (performance.now() - this.last) / 1000;
  }

  private readonly note = (event: Event): void => {
    if (!event.isTrusted || document.visibilityState !== 'visible') {
      return;
    }
    const now = performance.now();
    const paused = this.last === null || now - this.last > this.pauseMs;
    this.last = now;
    if (paused) {
      this.began();
    }
  };

  private last: number | null = null;
}
