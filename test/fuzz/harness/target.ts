/** What a target of the fuzzer is: a reader of foreign input, and what holds of it whatever it is given. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** How inputs are built, beyond bytes: these are taken apart, changed within, and put together again. */
export type Form = 'text' | 'der' | 'pem' | 'json';

export interface Target {
  /** Real inputs to begin from. */
  readonly seeds: readonly (Uint8Array | string)[];
  readonly forms?: readonly Form[] | undefined;
  /** Words that inputs are built of, besides those of the sources that were reached. */
  readonly words?: readonly string[] | undefined;
  /** The longest input, in bytes. Default 4096. */
  readonly maxLength?: number | undefined;
  /** How long the {@link largeInputs} are; 0 for a target that is given none. Default 128 KiB. */
  readonly largeBytes?: number | undefined;
  /** What stands in the seeds and must not stand in an error. */
  readonly secrets?: readonly string[] | undefined;
  /** What an input calls things: an error may say that, whatever mutation has moved there. With the flag `g`. */
  readonly names?: RegExp | undefined;
  /** Reads an input. What it throws is a find, unless it is a RolesAnywhereError or {@link expects} it. */
  readonly run: (input: Uint8Array) => unknown;
  /**
   * Asks a slow second reader about all inputs that ran since it was last called, and gives those on which it differs. Called after
   * each 256 inputs, and at the end.
   */
  readonly settle?: (() => Promise<readonly Difference[]>) | undefined;
  /** Errors that the reader is documented to throw to its callers within the project. */
  readonly expects?: ((error: unknown) => boolean) | undefined;
}

/** An input on which two readers differ. */
export interface Difference {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** Opens a target, or says why it cannot be run here. */
export type OpenTarget = () => Target | string | Promise<Target | string>;

/** Says that something that must hold does not. */
export class Broken extends Error {}

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}

/** An input as the text that a reader of text gets. */
export function textOf(input: Uint8Array): string {
  return Buffer.from(input.buffer, input.byteOffset, input.length).toString('utf8');
}

/** Files of the checkout whose names match. */
export function files(folder: string, name: RegExp): Buffer[] {
  return readdirSync(folder)
    .filter((file) => name.test(file))
    .toSorted()
    .map((file) => readFileSync(join(folder, file)));
}

/** The DER of every block of some PEM. */
export function derOf(pem: Uint8Array | string, label = '[A-Z0-9 ]+'): Buffer[] {
  const blocks = Buffer.from(pem)
    .toString('latin1')
    .matchAll(new RegExp(`-----BEGIN (${label})-----\\r?\\n([^:-]+)-----END \\1-----`, 'g'));
  return [...blocks].map(([, , body]) => Buffer.from(body ?? '', 'base64'));
}

/** Some bytes as a PEM block. */
export function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
