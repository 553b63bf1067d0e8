// Stands in for ip-address in the bundled socks, which has it read addresses that Node has recognised by then, and write
// those that a proxy answers with. Of the real package, 70 KB for arithmetic with networks, it uses nothing else.

class Address4 {
  #text;

  /** @param text an IPv4 address */
  constructor(text) {
    this.#text = text;
  }

  /** The four octets. */
  toArray() {
    return this.#text.split('.').map(Number);
  }
}

class Address6 {
  #text;

  /** @param text an IPv6 address (RFC 4291, section 2.2) */
  constructor(text) {
    this.#text = text;
  }

  /** @param octets sixteen of them */
  static fromByteArray(octets) {
    const groups = Array.from({ length: 8 }, (_, index) => (octets[2 * index] << 8) | octets[2 * index + 1]);
    return new Address6(groups.map((group) => group.toString(16)).join(':'));
  }

  /** Eight groups of four digits each. */
  canonicalForm() {
    const [start, end] = this.#text.replace(/%.*/s, '').split('::').map(groupsOf);
    const groups = end === undefined ? start : [...start, ...Array(8 - start.length - end.length).fill('0'), ...end];
    return groups.map((group) => group.toLowerCase().padStart(4, '0')).join(':');
  }
}

/** The groups of a part, an IPv4 address at its end as two. */
function groupsOf(part) {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return group;
    const [a, b, c, d] = new Address4(group).toArray();
    return [(a << 8) | b, (c << 8) | d].map((number) => number.toString(16));
  });
}

module.exports = { Address4, Address6 };
