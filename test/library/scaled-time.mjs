// Preloaded: makes time pass faster in a program, from a moment that it shares with whoever started it.
const [origin, factor] = (process.env.SCALED_TIME ?? '').split(' ').map(Number);
const RealDate = Date;
const now = () => Math.floor(origin + (RealDate.now() - origin) * factor);

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [now()] : given));
  }

  static now() {
    return now();
  }
};
