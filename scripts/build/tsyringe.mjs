// Stands in for tsyringe in the bundled @peculiar/x509, which keeps its list of algorithms in it and has nothing injected.
// The real one, and reflect-metadata, which it refuses to load without, are a tenth of what the emulator loads.

/** Single objects by what they are registered for, each made when it is first asked for. */
class Container {
  #makers = new Map();

  /** @param Type a class whose constructor takes nothing */
  registerSingleton(token, Type) {
    let made;
    const makers = this.#makers.get(token) ?? [];
    this.#makers.set(token, [...makers, () => (made ??= new Type())]);
  }

  /** Every object for `token`, in the order of registration. */
  resolveAll(token) {
    const makers = this.#makers.get(token);
    if (makers === undefined) throw new Error(`nothing is registered for ${String(token)}`);
    return makers.map((make) => make());
  }

  /** The object that was registered last. */
  resolve(token) {
    return this.resolveAll(token).at(-1);
  }
}

export const container = new Container();

/** A decorator for classes whose constructors take what is registered: here none of them does. */
export function injectable() {
  return (Type) => {
    if (Type.length > 0) throw new Error(`${Type.name} wants something injected`);
  };
}
