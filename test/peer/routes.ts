import type { Line } from './support/compare.ts';
export const ROUTES: readonly Pick<Line, 'differs'>[] = [];
