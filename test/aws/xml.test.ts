import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readXml, textAt } from '../../src/aws/xml.ts';

const nested = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth);
const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('\r', '&#13;');

describe('readXml', () => {
  it('reads elements, attributes that it skips, text and references', () => {
    const root = readXml(
      '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="https://x/" b=\'1\'>\n <c>1 &lt; 2 &amp;&#x20AC;&#33;</c><d/><e></e>\n</a>\n',
    );
    expect(textAt(root, 'c')).toBe('1 < 2 &€!');
    expect(textAt(root, 'd')).toBe('');
    expect(textAt(root, 'e')).toBe('');
    expect(textAt(root, 'f')).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['no XML', 'Service Unavailable'],
    ['a page', '<!DOCTYPE html><html><body>502</body></html>'],
    ['a document type with an entity', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['an unknown entity', '<a>&x;</a>'],
    ['a bare ampersand', '<a>1 & 2</a>'],
    ['a reference to what is no character', '<a>&#0;</a>'],
    ['a reference to half a character', '<a>&#xD800;</a>'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>'],
    ['a comment', '<a><!-- b --></a>'],
    ['CDATA', '<a><![CDATA[b]]></a>'],
    ['a processing instruction', '<a><?php ?></a>'],
    ['an end too many', '<a></a></a>'],
    ['an end too few', '<a><b></b>'],
    ['crossed ends', '<a><b></a></b>'],
    ['two roots', '<a/><b/>'],
    ['text after the root', '<a/>b'],
    ['text before the root', 'b<a/>'],
    ['a lone opening bracket', '<a><</a>'],
    ['an attribute without quotes', '<a b=1/>'],
    ['more attributes than AWS sends', `<a ${'b="1" '.repeat(9)}/>`],
    ['an end in the middle of a tag', '<a><b'],
  ])('refuses %s', (_, text) => {
    expect(readXml(text)).toBeUndefined();
  });

  it('refuses what is too deep and what has too many elements, and takes what is not', () => {
    expect(readXml(nested(10))).toBeDefined();
    expect(readXml(nested(20))).toBeUndefined();
    expect(readXml(nested(100_000))).toBeUndefined();
    expect(readXml(`<a>${'<b/>'.repeat(900)}</a>`)).toBeDefined();
    expect(readXml(`<a>${'<b/>'.repeat(2000)}</a>`)).toBeUndefined();
  });

  it('refuses every beginning of a document', () => {
    const text = '<?xml version="1.0"?><a b="c"><d>&amp;e</d><f/></a>';
    for (let length = 0; length < text.length; length++) expect(readXml(text.slice(0, length))).toBeUndefined();
    expect(readXml(text)).toBeDefined();
  });

  it('gives back any text that was escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(textAt(readXml(`<r><t>${escape(text)}</t></r>`), 't')).toBe(text);
      }),
    );
  });

  it('never throws, whatever it is given', () => {
    const part = fc.constantFrom('<', '>', '/', '&', ';', '#', 'x', '"', "'", '=', ' ', '<a', '</a', 'amp', '<?xml ');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        expect(() => readXml(parts.join(''))).not.toThrow();
      }),
    );
  });
});

describe('textAt', () => {
  it('does not choose between two of one name', () => {
    expect(textAt(readXml('<a><b>1</b><b>2</b></a>'), 'b')).toBeUndefined();
  });

  it('is nothing for an element with elements in it', () => {
    expect(textAt(readXml('<a><b>1<c/></b></a>'), 'b')).toBeUndefined();
  });
});
