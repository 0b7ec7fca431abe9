/** Sentences and times as the pages write them (units.py and enforcement/telling.py are the measure). */

import type { IPart } from './state';

const NBSP = '\u00a0';
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function two(number: number): string {
  return String(number).padStart(2, '0');
}

/** `5 h 10 min`, `8 min`, `40 s`; days from 48 h on. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return `${whole}${NBSP}s`;
  }
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return `${minutes}${NBSP}min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) {
    const rest = hours % 24;
    return `${Math.floor(hours / 24)}${NBSP}d` + (rest ? ` ${rest}${NBSP}h` : '');
  }
  const rest = minutes % 60;
  return `${hours}${NBSP}h` + (rest ? ` ${rest}${NBSP}min` : '');
}

/** How long until then; below two minutes `1:45 min`. */
export function left(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((at - now) / 1000));
  return seconds < 120 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}${NBSP}min` : duration(seconds);
}

/** `14:25` today, with the day before it on another day. */
export function clock(at: number, now: number): string {
  const then = new Date(at);
  const time = `${two(then.getHours())}:${two(then.getMinutes())}`;
  const same = then.toDateString() === new Date(now).toDateString();
  return same ? time : `${then.getDate()}${NBSP}${MONTHS[then.getMonth()] ?? ''} ${time}`;
}

/** `just now`, `28 min ago`, `2 h ago`, `Mon 17:40`, `9 Oct`. */
export function ago(at: number, now: number): string {
  const seconds = (now - at) / 1000;
  if (seconds < 45) {
    return 'just now';
  }
  if (seconds < 3600) {
    return `${Math.max(1, Math.round(seconds / 60))}${NBSP}min ago`;
  }
  if (seconds < 12 * 3600) {
    return `${Math.round(seconds / 3600)}${NBSP}h ago`;
  }
  const then = new Date(at);
  if (seconds < 6 * 86400) {
    return `${DAYS[then.getDay()] ?? ''} ${two(then.getHours())}:${two(then.getMinutes())}`;
  }
  const day = `${then.getDate()}${NBSP}${MONTHS[then.getMonth()] ?? ''}`;
  return then.getFullYear() === new Date(now).getFullYear() ? day : `${day}${NBSP}${then.getFullYear()}`;
}

/** `64 kB`, `38 MB`, `1.2 GB`. */
export function size(bytes: number): string {
  if (bytes < 1000) {
    return `${bytes}${NBSP}B`;
  }
  let value = bytes;
  let unit = 'PB';
  for (const one of ['kB', 'MB', 'GB', 'TB', 'PB']) {
    value /= 1000;
    unit = one;
    if (value < 999.5) {
      break;
    }
  }
  const text = value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0);
  return `${text}${NBSP}${unit}`;
}

/** A sentence as text, its times in this browser's zone; now in milliseconds of the service's time. */
export function written(parts: readonly IPart[], now: number): string {
  const forms = { clock, ago, left };
  return parts
    .map(part => {
      const at = part.at === undefined ? NaN : Date.parse(part.at);
      return Number.isNaN(at) ? part.text : forms[part.form](at, now);
    })
    .join('');
}

/** Whether a sentence must be written anew each second: a deadline in it is near. */
export function isUrgent(parts: readonly IPart[], now: number): boolean {
  return parts.some(
    part => part.form === 'left' && part.at !== undefined && Date.parse(part.at) - now < 125_000
  );
}
