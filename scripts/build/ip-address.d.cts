export class Address4 {
  constructor(text: string);
  toArray(): number[];
}
export class Address6 {
  constructor(text: string);
  static fromByteArray(octets: readonly number[]): Address6;
  canonicalForm(): string;
}
