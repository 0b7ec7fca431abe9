/** The few words that are the screen's own; all others come with the state, the same as on the pages. */

export const WORDS = {
  panel: 'Notebook',
  clock: 'Clock',
  why: 'Why',
  dismiss: 'Dismiss',
  saveNow: 'Save now',
  saveAsked: 'Saving…',
  saved: 'Saved.',
  snapshots: 'Snapshots',
  noSnapshots: 'Nothing saved yet.',
  noList: 'They cannot be read now; this is tried again.',
  allSnapshots: 'All snapshots',
  look: 'Look',
  back: 'Back to the snapshots',
  up: 'One folder up',
  nothing: 'This folder is empty.',
  more: 'There are more; the page shows them all.',
  restore: 'Restore',
  copy: 'Copy',
  cancel: 'Cancel',
  restoring: 'Bringing it back…',
  use: 'Space and use',
  evidence: 'What goes on',
  unsaved: 'Not saved in editors',
  notify: 'Warn me outside of this tab too',
  notified: 'Warnings are shown outside of this tab too.',
  refused: 'The browser does not allow notifications for this address.',
  page: 'The notebook’s page',
  idleMoved: 'Kept. The idle clock begins anew.',
  away: 'Not updating since ',
  awayWhy: 'The notebook’s server does not answer; it is tried again.',
  keepWorking: 'Keep working',
  notNow: 'Not now',
  noKernel: 'The notebook has no kernel that is free; run it, then try again.'
} as const;

/** The question before a file is replaced. */
export function replaceQuestion(path: string): string {
  return `Replace ${path}?`;
}

export function replaceWhy(time: string): string {
  return `It becomes what it was at ${time}. What is there now is saved first, so that it can be brought back.`;
}

export function broughtBack(path: string): string {
  return `Brought back: ${path}`;
}

export function sessionMoved(time: string): string {
  return `Kept. The session ends at ${time} now.`;
}

export function fileCount(count: number): string {
  return count === 1 ? '1\u00a0file' : `${count.toLocaleString('en-US')}\u00a0files`;
}

export function variablesTitle(path: string): string {
  return `Variables of ${path} can come back`;
}

export function variablesBack(count: number): string {
  return `Bring ${count} back`;
}

/** lost: what cannot come back and why. */
export function variablesWhy(count: number, all: number, size: string, lost: string): string {
  const kept = `${count} of ${all} were kept${size ? `, ${size}` : ''}.`;
  return lost ? `${kept} Not ${lost}.` : kept;
}

export function lostWords(name: string, why: string): string {
  return why ? `${name} (${why.replace(/\.$/, '')})` : name;
}
