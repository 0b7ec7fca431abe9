/** What the server says of the session: contract/local.py, as JSON. Fields that are null are left out there. */

/** A piece of a sentence: text, or a time that this screen writes. */
export interface IPart {
  text: string;
  at?: string;
  form: 'clock' | 'ago' | 'left';
}

export interface INotice {
  id: string;
  reason: string;
  title: string;
  why: string;
  next: string[];
  head: IPart[];
  body: IPart[];
  keep: string;
  colour: string;
}

export interface IClock {
  badge: string;
  icon: string;
  colour: string;
  bar: IPart[];
  title: IPart[];
  sentence: IPart[];
  detail: IPart[];
  keep: string;
  moves: string;
  near: boolean;
}

export interface ISaving {
  icon: string;
  colour: string;
  bar: IPart[];
  heading: string;
  end: IPart[];
  lines: string[];
  percent?: number;
}

export interface IMeter {
  name: string;
  label: string;
  text: string;
  percent?: number;
  colour: string;
}

export interface ISignal {
  name: string;
  state: string;
  since?: string;
  detail: string;
}

export interface IState {
  phase: string;
  server_time: string;
  heard_seconds_ago?: number;
  notices: INotice[];
  warnings: string[];
  title: string;
  profile: string;
  clock: IClock;
  saving: ISaving;
  saved: { number: number; at?: string };
  meters: IMeter[];
  signals: ISignal[];
  page_url: string;
}

export interface ISnapshot {
  number: number;
  kind: string;
  at: string;
  size_bytes: number;
  files: number;
}

export interface IEntry {
  name: string;
  kind: string;
  size: number;
}

/** What Keep working brought. */
export interface IExtended {
  moved: string;
  session_ends_at?: string;
}

/** What a restore brought: where it lies now. */
export interface IRestored {
  path: string;
  files: number;
}
