/**
 * The mutants of a source: places where the code decides something, each changed in one small way. Tests:
 * test/mutation/mutants.test.ts
 */
import { createHash } from 'node:crypto';
import { parseSync } from 'rolldown/utils';

/** One small change of a source. */
export interface Mutant {
  readonly line: number;
  /** The source line, without indentation: a name for the place that survives when lines above it come and go. */
  readonly code: string;
  readonly from: string;
  readonly to: string;
  /** Counts the mutants that are alike in all three, from 0. */
  readonly nth: number;
  /** The whole source with the change in it. */
  readonly source: string;
}

interface AstNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

/** Operators, and what takes their place. */
const OPERATORS: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '+=': '-=',
  '-=': '+=',
  '++': '--',
  '--': '++',
};

/** Methods whose call is left out, and methods that another takes the place of. */
const LEFT_OUT = new Set(['filter', 'sort', 'toSorted', 'trim', 'toLowerCase', 'slice', 'subarray', 'replaceAll']);
/** Functions that make an error: the texts that they are given are words, other arguments are not. */
const WORDED = /^(?:errorAnswer|failure|fileError|onWarning|warn|malformed|invalid|this\.#withheld)$/;
const EXCHANGED: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  indexOf: 'lastIndexOf',
  lastIndexOf: 'indexOf',
};

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/**
 * The mutants of `source`, in the order of their places.
 *
 * What is only said to people is left alone: the words of errors and what goes to a log. So are types and imports.
 */
export function mutantsOf(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source);
  if (errors[0] !== undefined) throw new Error(`${file}: ${errors[0].message}`);
  const found: Mutant[] = [];
  const sources = new Set([source]);
  const times = new Map<string, number>();
  const text = (node: AstNode): string => source.slice(node.start, node.end);

  const change = (start: number, end: number, to: string): void => {
    const mutated = source.slice(0, start) + to + source.slice(end);
    if (sources.has(mutated)) return;
    sources.add(mutated);
    const before = source.slice(0, start);
    const from = source.slice(start, end).replaceAll(/\s+/g, ' ');
    const lineEnd = source.indexOf('\n', start);
    const code = source.slice(before.lastIndexOf('\n') + 1, lineEnd < 0 ? undefined : lineEnd).trim();
    const shown = to.replaceAll(/\s+/g, ' ');
    const key = JSON.stringify([code, from, shown]);
    const nth = times.get(key) ?? 0;
    times.set(key, nth + 1);
    found.push({ line: before.split('\n').length, code, from, to: shown, nth, source: mutated });
  };
  const replace = (node: AstNode, to: string): void => change(node.start, node.end, to);

  const walk = (node: AstNode): void => {
    const child = (name: string): AstNode | undefined => {
      const value = node[name];
      return isNode(value) ? value : undefined;
    };
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return;
      case 'IfStatement':
      case 'ConditionalExpression':
      case 'WhileStatement':
        if (node.type !== 'WhileStatement') condition(child('test'), 'true');
        condition(child('test'), 'false');
        break;
      case 'BinaryExpression':
      case 'LogicalExpression':
      case 'AssignmentExpression':
        operator(node);
        break;
      case 'UpdateExpression':
        replace(
          node,
          text(node).replace(/\+\+|--/, (sign) => OPERATORS[sign] ?? sign),
        );
        break;
      case 'UnaryExpression':
        if (node['operator'] === '!') change(node.start, node.start + 1, '');
        break;
      case 'MemberExpression':
      case 'CallExpression':
        if (node['optional'] === true) unquestioned(node);
        call(node);
        break;
      case 'ExpressionStatement':
        if (isToLog(child('expression'))) return;
        if (node['directive'] === undefined || node['directive'] === null) replace(node, ';');
        break;
      case 'ThrowStatement':
        replace(node, ';');
        break;
      case 'ReturnStatement':
        if (child('argument') === undefined) replace(node, ';');
        break;
      case 'ArrayExpression':
        if (Array.isArray(node['elements']) && node['elements'].length > 0) replace(node, '[]');
        break;
      case 'Literal':
        literal(node);
        break;
      case 'TemplateLiteral':
        replace(node, "''");
        break;
      case 'NewExpression':
        if (text(child('callee') ?? node).endsWith('Error')) return;
        break;
      default:
    }
    const worded = node.type === 'CallExpression' && WORDED.test(text(child('callee') ?? node));
    for (const [name, value] of Object.entries(node)) {
      if (name === 'typeAnnotation' || name === 'returnType' || name === 'typeParameters' || name === 'typeArguments')
        continue;
      // The name of a member is no value.
      if (name === 'key' && node['computed'] !== true) continue;
      for (const inner of Array.isArray(value) ? value : [value])
        if (isNode(inner) && isCode(inner) && !(worded && isText(inner))) walk(inner);
    }
  };

  const condition = (test: AstNode | undefined, value: string): void => {
    if (test !== undefined) replace(test, value);
  };

  const operator = (node: AstNode): void => {
    const [left, right] = [node['left'], node['right']];
    if (!isNode(left) || !isNode(right)) return;
    const sign = String(node['operator']);
    if (sign === '??') return change(left.end, right.end, '');
    // Text is put together with +, too; there is no difference of texts.
    if (sign === '+' && [left, right].some((side) => isText(side))) return;
    const other = OPERATORS[sign];
    if (other === undefined) return;
    const between = source.slice(left.end, right.start);
    const at = between.indexOf(sign);
    change(left.end + at, left.end + at + sign.length, other);
  };

  const unquestioned = (node: AstNode): void => {
    const inner = node['object'] ?? node['callee'];
    if (!isNode(inner)) return;
    const at = source.indexOf('?.', inner.end);
    const behind = source[at + 2];
    change(at, at + 2, behind === '[' || behind === '(' ? '' : '.');
  };

  const call = (node: AstNode): void => {
    const callee = node['callee'];
    if (!isNode(callee) || callee.type !== 'MemberExpression' || callee['computed'] === true) return;
    const [object, property] = [callee['object'], callee['property']];
    if (!isNode(object) || !isNode(property)) return;
    const name = text(property);
    if (LEFT_OUT.has(name)) change(object.end, node.end, '');
    const other = Object.hasOwn(EXCHANGED, name) ? EXCHANGED[name] : undefined;
    if (other !== undefined) replace(property, other);
  };

  const literal = (node: AstNode): void => {
    const value = node['value'];
    if (typeof value === 'boolean') replace(node, String(!value));
    else if (typeof value === 'number') {
      replace(node, String(value + 1));
      replace(node, String(value - 1));
    } else if (typeof value === 'string' && value !== '') replace(node, "''");
    else if (isNode({ type: 'RegExp', ...(node['regex'] as object) })) anchors(node);
  };

  const anchors = (node: AstNode): void => {
    const { pattern } = (node['regex'] ?? { pattern: '' }) as { pattern: string };
    if (pattern.startsWith('^')) change(node.start + 1, node.start + 2, '');
    const end = node.start + 1 + pattern.length;
    if (pattern.endsWith('$')) change(end - 1, end, '');
  };

  const isToLog = (node: AstNode | undefined): boolean =>
    node !== undefined && /^(?:this\.#?)?(?:log|debug|options\.log|console)\??\./.test(text(node));

  walk(program as unknown as AstNode);
  return found;
}

/** A name for what a source can be changed into: comments and lines that hold no mutant change nothing of it. */
export function digestOf(mutants: readonly Mutant[]): string {
  const places = mutants.map(({ code, from, to, nth }) => [code, from, to, nth]);
  return createHash('sha256').update(JSON.stringify(places)).digest('base64url').slice(0, 12);
}

function isText(node: AstNode): boolean {
  return node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node['value'] === 'string');
}

/** Whether a node is code, and no type. */
function isCode(node: AstNode): boolean {
  return !node.type.startsWith('TS') || /^TS(?:As|NonNull|Satisfies|Instantiation)/.test(node.type);
}
