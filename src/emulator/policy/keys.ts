/** Condition keys of a request: their names are matched without regard to case. */
// Tests: test/emulator/policy/evaluate.test.ts

export class ContextKeys {
  readonly #values = new Map<string, { name: string; values: readonly string[]; multivalued: boolean }>();

  /** @param entries names and values; those that are undefined are left out, and a list makes the key multivalued */
  constructor(entries: Readonly<Record<string, string | readonly string[] | undefined>> = {}) {
    this.set(entries);
  }

  set(entries: Readonly<Record<string, string | readonly string[] | undefined>>): this {
    for (const [name, value] of Object.entries(entries)) {
      if (value === undefined) continue;
      const multivalued = typeof value !== 'string';
      this.#values.set(name.toLowerCase(), { name, values: multivalued ? value : [value], multivalued });
    }
    return this;
  }

  /** The values; undefined when the request does not have the key. */
  get(name: string): readonly string[] | undefined {
    return this.#values.get(name.toLowerCase())?.values;
  }

  isMultivalued(name: string): boolean {
    return this.#values.get(name.toLowerCase())?.multivalued === true;
  }

  /** A copy with further keys. */
  with(entries: Readonly<Record<string, string | readonly string[] | undefined>>): ContextKeys {
    const copy = new ContextKeys();
    for (const [key, entry] of this.#values) copy.#values.set(key, entry);
    return copy.set(entries);
  }
}
