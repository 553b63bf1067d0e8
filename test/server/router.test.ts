import { describe, expect, it } from 'vitest';
import { VERSIONED_TOKEN, findRoute } from '../../src/server/router.ts';
import type { Route } from '../../src/server/router.ts';

function route(label: string): Route {
  return { label, methods: ['GET'], handle: () => ({ status: 200, headers: [], body: '' }) };
}

const routes = new Map(['/credentials', '/role/a+b', VERSIONED_TOKEN].map((path) => [path, route(path)]));

describe('the route of a target', () => {
  it.each([
    ['/credentials', '/credentials'],
    ['///credentials/', '/credentials'],
    ['/credentials?a=b', '/credentials'],
    ['/credentials?a=b?c=d', '/credentials'],
    ['/role/a%2Bb', '/role/a+b'],
    ['/2021-03-23/api/token', VERSIONED_TOKEN],
    ['/1.0/api/token', VERSIONED_TOKEN],
  ])('%s is %s', (target, path) => {
    expect(findRoute(routes, target)?.label).toBe(path);
  });

  it.each([
    '',
    '*',
    '/',
    '//',
    '?',
    'http://127.0.0.1/credentials',
    '%2Fcredentials',
    '/role//a+b',
    '/role/%zz',
    '/x/2021-03-23/api/token',
    '/2021-03-23/api/token/more',
    '/latest/api/token',
  ])('%j has none', (target) => {
    expect(findRoute(routes, target)).toBeUndefined();
  });
});
