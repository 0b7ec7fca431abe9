/** Small helpers: elements are made once and written only where something changed. */

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  text = ''
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export function button(text: string, click: () => void, className = 'jp-nbs-button'): HTMLButtonElement {
  const made = element('button', className, text);
  made.type = 'button';
  made.addEventListener('click', click);
  return made;
}

export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

export function setHidden(node: HTMLElement, hidden: boolean): void {
  if (node.hidden !== hidden) {
    node.hidden = hidden;
  }
}

export function setData(node: HTMLElement, name: string, value: string): void {
  if (node.dataset[name] !== value) {
    node.dataset[name] = value;
  }
}

/** Paths of the icons, by the names that the server uses; 16 by 16, drawn for this. */
const ICONS: Record<string, string> = {
  circle: '<circle cx="8" cy="8" r="5"/>',
  'circle-half-stroke':
    '<circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 3a5 5 0 0 1 0 10z"/>',
  'hourglass-half':
    '<path d="M4 2h8v1.5H11V5L8.8 8 11 11v1.5h1V14H4v-1.5h1V11l2.2-3L5 5V3.500H4zM6.600 5l1.400 1.900L9.400 5z" fill-rule="evenodd"/>',
  'circle-question':
    '<path d="M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zm-.8 8.200v1.600h1.600v-1.600zM5.700 6.400h1.500c0-.5.3-.8.8-.8s.8.300.8.8c0 .8-1.600.9-1.600 2.700h1.500c0-1.100 1.700-1.100 1.700-2.800 0-1.200-1-2.100-2.400-2.100-1.300 0-2.300.9-2.300 2.200z" fill-rule="evenodd"/>',
  'triangle-exclamation':
    '<path d="M8 1.800 15 14H1zM7.300 6v4h1.400V6zm0 5v1.500h1.400V11z" fill-rule="evenodd"/>',
  check: '<path d="m3 8.500 1.200-1.200L7 10.100l5.800-5.800L14 5.500l-7 7z"/>',
  'arrow-up': '<path d="M8 2.500 13 8h-3.200v5.500H6.200V8H3z"/>',
  spinner: '<path d="M8 2.200a5.800 5.800 0 1 0 5.800 5.800h-1.700A4.100 4.100 0 1 1 8 3.900z"/>'
};

/** The inside of an icon's picture. */
export function shapeOf(name: string): string {
  return ICONS[name] ?? ICONS.circle ?? '';
}

/** The icon of that name into a node; decoration alone. */
export function setIcon(node: HTMLElement, name: string): void {
  if (node.dataset.icon !== name) {
    node.dataset.icon = name;
    node.setAttribute('aria-hidden', 'true');
    const size = 'viewBox="0 0 16 16" width="12" height="12"';
    node.innerHTML = `<svg ${size} fill="currentColor" focusable="false">${shapeOf(name)}</svg>`;
  }
}

/** Says something once to screen readers, without moving anything. */
export class Speaker {
  constructor() {
    this.node = element('div', 'jp-nbs-hidden');
    this.node.setAttribute('role', 'status');
    this.node.setAttribute('aria-live', 'polite');
    document.body.appendChild(this.node);
  }

  say(text: string): void {
    // The same sentence twice is a change only where something else stood there between.
    this.node.textContent = this.node.textContent === text ? `${text}\u00a0` : text;
  }

  readonly node: HTMLElement;
}
