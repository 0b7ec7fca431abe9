/**
 * The way to the notebook's server: presence up, the session's state down, and what a person asks for.
 *
 * Presence is posted every 30 s and at once when something changed that others wait for; the state comes with each
 * answer and, between them, over a WebSocket. Without the server's extension all of it stays away; where the server is
 * silent, the last state stays and its age is known.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Input } from './input';
import type { IState } from './state';

const POST_MS = 30_000;
const LEAST_MS = 1_000;
const RETRY_MS = [1_000, 2_000, 5_000, 15_000, 60_000];
const PAUSE_MS = 20_000;
const AWAY_MS = 90_000;

/** What the server refused, in its words. */
export class Refused extends Error {
  constructor(
    readonly title: string,
    readonly why: string,
    readonly next: readonly string[]
  ) {
    super(title);
  }
}

export class Session {
  constructor() {
    this.input = new Input(PAUSE_MS, () => {
      this.post();
    });
  }

  /** The state as it was heard last; null before. */
  state: IState | null = null;

  /** Documents with changes that are not in their files; posted when they change. */
  get unsaved(): readonly string[] {
    return this.unsavedNow;
  }

  set unsaved(names: readonly string[]) {
    if (names.join('\n') !== this.unsavedNow.join('\n')) {
      this.unsavedNow = names;
      this.post();
    }
  }

  /** Calls back with each state, and when the server fell silent. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Whether there is a session to show; from then on everything goes by itself. */
  async start(): Promise<boolean> {
    if (!(await this.send())) {
      return false;
    }
    document.addEventListener('visibilitychange', () => {
      this.post();
      this.connect();
    });
    window.addEventListener('online', () => {
      this.post();
    });
    window.setInterval(() => {
      this.post();
    }, POST_MS);
    this.connect();
    return true;
  }

  /** Notices that somebody could see; the server is told at once. */
  shown(id: string): void {
    if (!this.told.has(id)) {
      this.told.add(id);
      this.pendingShown.add(id);
      this.post();
    }
  }

  /** Milliseconds of the service's time. */
  now(): number {
    return this.offset === null ? Date.now() : performance.now() + this.offset;
  }

  /** Since when the server is silent, in milliseconds of the service's time; null where it answers. */
  silentSince(): number | null {
    const quiet = performance.now() - this.heardAt;
    return this.state !== null && quiet > AWAY_MS ? this.now() - quiet : null;
  }

  /** What the server answers; raises Refused. */
  async ask<T>(what: string, more: Record<string, unknown> = {}): Promise<T> {
    return (await this.request('ask', { do: what, ...more })) as T;
  }

  /** Another address of ours, POST and GET; raises Refused. */
  async send_<T>(address: string, body: object): Promise<T> {
    return (await this.request(address, body)) as T;
  }

  async get<T>(address: string): Promise<T> {
    return (await this.request(address, null)) as T;
  }

  /** Presence now, at most once a second. */
  post(): void {
    if (this.timer === null) {
      const wait = Math.max(0, this.postedAt + LEAST_MS - performance.now());
      this.timer = window.setTimeout(() => {
        this.timer = null;
        void this.send();
      }, wait);
    }
  }

  private async send(): Promise<boolean> {
    this.postedAt = performance.now();
    const shown = [...this.pendingShown];
    try {
      const answer = await this.request('presence', {
        visible: document.visibilityState === 'visible',
        last_input_seconds: this.input.secondsAgo(),
        page: this.page,
        shown,
        unsaved: this.unsavedNow
      });
      for (const id of shown) {
        this.pendingShown.delete(id);
      }
      this.heard(answer as IState);
      return true;
    } catch {
      this.tell(); // silent for how long is for those who show it
      return false;
    }
  }

  private async request(address: string, body: object | null): Promise<unknown> {
    const url = URLExt.join(this.settings.baseUrl, 'notebooks', address);
    const init = body === null ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await ServerConnection.makeRequest(url, init, this.settings).catch(() => {
      throw new Refused('The notebook’s server does not answer', 'Your files are as they were.', [
        'Try again'
      ]);
    });
    const said = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    if (!response.ok) {
      const error = (said.error ?? {}) as { title?: string; why?: string; next?: string[] };
      throw new Refused(
        error.title ?? `The server answered ${response.status}`,
        error.why ?? '',
        error.next ?? []
      );
    }
    return said;
  }

  private connect(): void {
    if (this.socket !== null || document.visibilityState !== 'visible') {
      return;
    }
    let url = URLExt.join(this.settings.wsUrl, 'notebooks', 'live');
    if (this.settings.appendToken && this.settings.token) {
      url += `?token=${encodeURIComponent(this.settings.token)}`;
    }
    const socket = new this.settings.WebSocket(url);
    this.socket = socket;
    socket.onmessage = message => {
      this.tries = 0;
      this.heard(JSON.parse(message.data as string) as IState);
    };
    socket.onclose = () => {
      this.socket = null;
      const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)];
      window.setTimeout(() => {
        this.connect();
      }, wait);
    };
  }

  private heard(state: IState): void {
    this.state = state;
    this.heardAt = performance.now();
    const at = Date.parse(state.server_time);
    if (!Number.isNaN(at) && state.heard_seconds_ago !== undefined) {
      const offset = at + state.heard_seconds_ago * 1000 - performance.now();
      // An answer that was slow to come reads the time as earlier than it is: the latest reading is right.
      if (this.offset === null || offset > this.offset || this.offset - offset > 5_000) {
        this.offset = offset;
      }
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }

  private readonly settings = ServerConnection.makeSettings();
  private readonly page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 12)}`;
  private readonly listeners: (() => void)[] = [];
  private readonly input: Input;
  private readonly told = new Set<string>();
  private readonly pendingShown = new Set<string>();
  private unsavedNow: readonly string[] = [];
  private socket: WebSocket | null = null;
  private tries = 0;
  private timer: number | null = null;
  private postedAt = -LEAST_MS;
  private heardAt = performance.now();
  private offset: number | null = null;
}
