/**
 * Coverage of edges: a counter at every place where the code may go one way or another, put in as the sources are
 * bundled, as AFL and libFuzzer do it for C. V8's own coverage costs milliseconds a reading; these cost a few
 * per cent, and can be read after every input.
 */
import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import type { Plugin } from 'rolldown';
import { parseSync, transformSync } from 'rolldown/utils';

/** More counters than this are an error: the worker's table has this length. */
const MAX_EDGES = 1 << 16;

/** What the worker finds at the head of each chunk. */
export const BANNER = `const __edges = (globalThis.edgeCounters ??= new Uint8Array(${MAX_EDGES}));`;

/** What the plugin gathers on the way. */
export interface Edges {
  /** How many counters there are. */
  count: number;
  /** Words of the sources, by the counter of the function that they stand in: what an input may have to hold. */
  readonly words: [edge: number, word: string | number][];
}

interface AstNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

/** Puts counters into the files of `root`. */
export function instrument(root: string, edges: Edges): Plugin {
  return {
    name: 'edges',
    load(id) {
      if (!id.startsWith(root + sep) || !id.endsWith('.ts')) return null;
      const stripped = transformSync(id, readFileSync(id, 'utf8'));
      if (stripped.errors[0] !== undefined) throw new Error(`${id}: ${stripped.errors[0].message}`);
      return { code: withCounters(id, stripped.code, edges), moduleType: 'js' };
    },
  };
}

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

function withCounters(id: string, code: string, edges: Edges): string {
  const { program, errors } = parseSync(id.replace(/ts$/, 'js'), code);
  if (errors[0] !== undefined) throw new Error(`${id}: ${errors[0].message}`);
  const inserts: { readonly at: number; readonly opens: boolean; readonly text: string }[] = [];
  const open = (at: number, text: string): void => void inserts.push({ at, opens: true, text });
  const close = (at: number, text: string): void => void inserts.push({ at, opens: false, text });
  const counter = (): string => {
    if (edges.count === MAX_EDGES) throw new Error(`more than ${MAX_EDGES} edges`);
    return `__edges[${edges.count++}]++`;
  };

  /** The work to do behind a child, once what is in it has been walked. */
  const expression = (node: AstNode): (() => void) => {
    open(node.start, `(${counter()}, `);
    return () => close(node.end, ')');
  };
  const statement = (node: AstNode, behind = ''): (() => void) => {
    if (node.type === 'BlockStatement') {
      open(node.start + 1, `${counter()};`);
      return () => close(node.end, behind);
    }
    open(node.start, `{${counter()};`);
    return () => close(node.end, `}${behind}`);
  };

  const walk = (node: AstNode, owner: number): void => {
    let edge = owner;
    const after: (() => void)[] = [];
    const child = (name: string): AstNode | undefined => {
      const value = node[name];
      return isNode(value) ? value : undefined;
    };
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression': {
        const body = child('body');
        if (body === undefined) break;
        edge = edges.count;
        // A body's own type differs by parser; it begins with a brace wherever it is a block.
        if (code[body.start] === '{') open(body.start + 1, `${counter()};`);
        else after.push(expression(body));
        break;
      }
      case 'IfStatement': {
        const [taken, other] = [child('consequent'), child('alternate')];
        const skipped = other === undefined ? ` else ${counter()};` : '';
        if (taken !== undefined) after.push(statement(taken, skipped));
        if (other !== undefined && other.type !== 'IfStatement') after.push(statement(other));
        break;
      }
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement': {
        const body = child('body');
        if (body !== undefined) after.push(statement(body));
        break;
      }
      case 'CatchClause': {
        const body = child('body');
        if (body !== undefined) open(body.start + 1, `${counter()};`);
        break;
      }
      case 'SwitchCase': {
        const [first] = node['consequent'] as AstNode[];
        if (first !== undefined) open(first.start, `${counter()};`);
        break;
      }
      case 'ConditionalExpression':
        for (const name of ['consequent', 'alternate']) {
          const branch = child(name);
          if (branch !== undefined) after.push(expression(branch));
        }
        break;
      case 'LogicalExpression': {
        const right = child('right');
        if (right !== undefined) after.push(expression(right));
        break;
      }
      case 'Literal': {
        const value = node['value'];
        if (typeof value === 'string' && value.length > 0 && value.length <= 40) edges.words.push([edge, value]);
        if (typeof value === 'number' && Number.isInteger(value)) edges.words.push([edge, value]);
        break;
      }
      case 'ImportDeclaration':
      case 'ImportExpression':
      case 'ExportAllDeclaration':
        return;
    }
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) {
        for (const one of value) if (isNode(one)) walk(one, edge);
      } else if (isNode(value)) walk(value, edge);
    }
    for (const done of after) done();
  };
  walk(program as unknown as AstNode, edges.count);

  // Behind what ends at a place comes what begins there; otherwise the order of the walk holds.
  const ordered = inserts.toSorted((a, b) => a.at - b.at || Number(a.opens) - Number(b.opens));
  let [result, from] = ['', 0];
  for (const { at, text } of ordered) {
    result += code.slice(from, at) + text;
    from = at;
  }
  return result + code.slice(from);
}
